-- Nodes that die, start again, or are taken for dead, in every order with logins, ends and verifies.

local f
before_each(function()
  f = fleet()
  f.issue('aa')
  f.login(1, 'n1', 'aa')
  clock.advance(1)
end)

it('what a node that died left behind is reaped, and nobody else', function()
  f.explore({
    crash = true,
    steps = {
      { name = 'n1 starts again', function() f.restart('n1') end },
      { name = 'the list of the dead', after = 'n1 starts again', function() f.list_dead('n1') end },
      { name = 'the reap of one', after = 'the list of the dead', f.reap_next },
      { name = 'a resume as 2', function() return f.login(2, 'n2', 'aa') end },
      { name = 'a resume as 3', function() return f.login(3, 'n1', 'aa') end },
      { name = '2 falls silent', after = 'a resume as 2', function() return f.close(2) end },
      { name = 'expiry of 2', after = '2 falls silent', function() return f.expire(2) end },
      { name = 'messages to n2', function() return f.deliver('n2') end },
    },
  }, 200)
end)

it('a node that was taken for dead keeps its sessions', function()
  f.issue('bb')
  f.explore({
    crash = true,
    steps = {
      { name = 'n1 registers anew', function() f.register('n1') end },
      { name = 'the list of the dead', after = 'n1 registers anew', function() f.list_dead('n1') end },
      { name = 'the reap of one', after = 'the list of the dead', f.reap_next },
      { name = 'verify of 1', function() return f.verify(1) end },
      { name = 'login of 2', function() return f.login(2, 'n2', 'bb') end },
      { name = '1 falls silent', function() return f.close(1) end },
      { name = 'expiry of 1', after = '1 falls silent', function() return f.expire(1) end },
      { name = 'messages to n1', function() return f.deliver('n1') end },
    },
  }, 200)
end)
