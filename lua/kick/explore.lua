-- An operator takes a user off line while the user comes, comes back and goes: whoever was kicked stays out.

it('a kick ends whoever holds the seat, and voids the tickets, in every order', function()
  local f = fleet()
  f.issue('aa')
  local covered = explore{
    memory = f.memory, crash = f.die, check = f.check, finally = f.settle,
    steps = {
      { name = 'login of 1', by = 'n1', function() return f.login(1, 'n1', 'aa') end },
      { name = 'login of 2', by = 'n2', function() return f.login(2, 'n2', 'aa') end },
      { name = 'kick', function()
        f.kick('n1')
        assert.is_nil(f.holder())
        local again = run('login', { uid = '1001', sid = sid(9), token_digest = 'aa', address = 'a:9' })
        assert.is_nil(again.bind, 'a ticket that was voided opens no seat')
      end },
      { name = 'verify of 1', by = 'n1', function() return f.verify(1) end },
      { name = 'verify of 2', by = 'n2', function() return f.verify(2) end },
      { name = '1 leaves', by = 'n1', function() return f.close(1) end },
      { name = 'logout of 1', by = 'n1', after = '1 leaves', function() return f.logout(1) end },
      { name = 'messages to n2', by = 'n2', function() return f.deliver('n2') end },
    },
  }
  assert(covered.states >= 200, 'only ' .. covered.states .. ' states: do the steps still happen?')
end)

it('a kick reaches a session that was reaped and lives on', function()
  local f = fleet()
  f.issue('aa')
  f.login(1, 'n1', 'aa')
  clock.advance(1)
  explore{
    memory = f.memory, check = f.check, finally = f.settle,
    steps = {
      { name = 'n1 registers anew', function() f.register('n1') end },
      { name = 'the reap of n1', after = 'n1 registers anew', function() f.reap('n1') end },
      { name = 'kick', function() f.kick('n2') end },
      { name = 'verify of 1', function() return f.verify(1) end },
      { name = 'messages to n1', function() return f.deliver('n1') end },
    },
  }
end)
