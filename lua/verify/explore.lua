-- A store that forgets, wholly or in part, in every order with logins and ends: the live sessions put it back.

local f
before_each(function()
  f = fleet()
  f.issue('aa')
  f.login(1, 'n1', 'aa')
  clock.advance(1)
  f.issue('bb')
end)

it('a store that forgets everything is put back, whoever comes first', function()
  f.explore({
    crash = true,
    steps = {
      { name = 'login of 2', function() return f.login(2, 'n2', 'bb') end },
      { name = 'login of 3', function() return f.login(3, 'n1', 'bb') end },
      { name = 'the store forgets', f.forget },
      { name = 'verify of 1', function() return f.verify(1) end },
      { name = 'verify of 2', after = 'login of 2', function() return f.verify(2) end },
      { name = 'verify of 3', after = 'login of 3', function() return f.verify(3) end },
    },
  }, 300)
end)

it('nodes that die while the store forgets leave nobody on a seat', function()
  f.explore({
    crash = f.die,
    steps = {
      { name = 'login of 2', by = 'n2', function() return f.login(2, 'n2', 'bb') end },
      { name = 'the store forgets', f.forget },
      { name = 'verify of 1', by = 'n1', function() return f.verify(1) end },
      { name = 'verify of 2', by = 'n2', after = 'login of 2', function() return f.verify(2) end },
    },
  }, 100)
end)

it('a store that falls back to an older copy is put right', function()
  local copy = store.copy()
  f.explore({
    crash = true,
    steps = {
      { name = 'login of 2', function() return f.login(2, 'n2', 'bb') end },
      { name = 'login of 3', function() return f.login(3, 'n1', 'bb') end },
      { name = 'the store falls back', function() f.fall_back(copy) end },
      { name = 'verify of 1', function() return f.verify(1) end },
      { name = 'verify of 2', after = 'login of 2', function() return f.verify(2) end },
      { name = 'verify of 3', after = 'login of 3', function() return f.verify(3) end },
      { name = 'messages to n2', function() return f.deliver('n2') end },
    },
  }, 300)
end)

it('a seat that was empty for an hour is as new, and who is late with a verify gets nothing', function()
  f.explore({
    steps = {
      { name = '1 falls silent', function() return f.close(1) end },
      { name = 'expiry of 1', after = '1 falls silent', function() return f.expire(1) end },
      { name = 'login of 2', function() return f.login(2, 'n2', 'bb') end },
      { name = '2 leaves', after = 'login of 2', function() return f.close(2) end },
      { name = 'logout of 2', after = '2 leaves', function() return f.logout(2) end },
      { name = 'an hour passes', function()
        clock.advance(3600001)
        f.forgive()
      end },
      { name = 'verify of 1', function() return f.verify(1) end },
      { name = 'a verify that comes too late', function()
        local before = f.holder()
        f.verify(1, { not_after = clock.now() - 1 })
        assert.equal(before, f.holder())
      end },
    },
  }, 60)
end)

it('an older ticket comes back while the store has forgotten the newer one', function()
  f.login(2, 'n2', 'bb')
  f.explore({
    crash = true,
    steps = {
      { name = 'the store forgets', f.forget },
      { name = 'verify of 1', after = 'the store forgets', function() return f.verify(1) end },
      { name = 'a resume of 1 as 3', function() clock.advance(1); return f.login(3, 'n1', 'aa') end },
      { name = 'verify of 2', function() return f.verify(2) end },
      { name = 'a resume of 2 as 4', function() clock.advance(1); return f.login(4, 'n1', 'bb') end },
      { name = 'verify of 3', function() return f.verify(3) end },
      { name = 'messages to n2', function() return f.deliver('n2') end },
    },
  }, 100)
end)

it('a kick that was lost comes with the next verify', function()
  f.explore({
    steps = {
      { name = 'login of 2', function() return f.login(2, 'n2', 'bb') end },
      { name = 'login of 3', function() return f.login(3, 'n1', 'bb') end },
      { name = 'n1 hears nothing', function() return f.miss('n1') end },
      { name = 'n2 hears nothing', function() return f.miss('n2') end },
      { name = 'verify of 1', function()
        f.verify(1)
        assert(f.holder() == sid(1) or f.session(1).state == 'closed', 'session 1 lives on without a seat')
      end },
      { name = '2 leaves', after = 'login of 2', function() return f.close(2) end },
      { name = 'logout of 2', after = '2 leaves', function() return f.logout(2) end },
    },
  }, 60)
end)

it('a session that was reaped while it lived learns of the one that is verified on its seat', function()
  local copy = store.copy()
  f.login(2, 'n2', 'bb')
  f.explore({
    crash = true,
    steps = {
      { name = 'the store falls back', function() f.fall_back(copy) end },
      { name = 'n1 registers anew', function() f.register('n1') end },
      { name = 'the reap of n1', after = 'n1 registers anew', function() f.reap('n1') end },
      { name = 'verify of 2', function() return f.verify(2) end },
      { name = 'n1 hears nothing', function() return f.miss('n1') end },
      { name = 'messages to n1', function() return f.deliver('n1') end },
      { name = 'a resume of 1 as 3', function() clock.advance(1); return f.login(3, 'n1', 'aa') end },
      { name = 'verify of 1', function()
        f.verify(1)
        assert(f.holder() == sid(1) or f.session(1).state == 'closed', 'session 1 lives on without a seat')
      end },
    },
  }, 200)
end)
