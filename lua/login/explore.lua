-- Takeovers, resumes and ends in every order, with deaths and lost replies: whoever logs in last holds the seat.

local f
before_each(function()
  f = fleet()
  f.issue('aa')
end)

it('a takeover, a resume and an expiry keep the guarantees in every order', function()
  f.explore({
    crash = f.die,
    steps = {
      { name = 'login of 1', by = 'n1', function() return f.login(1, 'n1', 'aa') end },
      { name = '1 falls silent', by = 'n1', after = 'login of 1', function() return f.close(1) end },
      { name = 'expiry of 1', by = 'n1', after = '1 falls silent', function() return f.expire(1) end },
      { name = 'a ticket', function() clock.advance(1); f.issue('bb') end },
      { name = 'login of 2', by = 'n2', after = 'a ticket', function() return f.login(2, 'n2', 'bb') end },
      { name = 'login of 3', by = 'n1', after = 'a ticket', function() return f.login(3, 'n1', 'bb') end },
      { name = 'messages to n1', by = 'n1', function() return f.deliver('n1') end },
    },
  }, 500)
end)

it('devices that fight with old and new tickets make no kick war', function()
  f.explore({
    steps = {
      { name = 'login of 1', function() return f.login(1, 'n1', 'aa') end },
      { name = 'a ticket', function() clock.advance(1); f.issue('bb') end },
      { name = 'login of 2', after = 'a ticket', function() return f.login(2, 'n2', 'bb') end },
      { name = 'the first device again', after = 'login of 1', function() return f.login(3, 'n1', 'aa') end },
      { name = 'and again', after = 'the first device again', function() return f.login(4, 'n2', 'aa') end },
      { name = 'another ticket', after = 'a ticket', function() clock.advance(1); f.issue('cc') end },
      { name = 'login of 5', after = 'another ticket', function() return f.login(5, 'n1', 'cc') end },
      { name = 'messages to n1', function() return f.deliver('n1') end },
      { name = 'messages to n2', function() return f.deliver('n2') end },
    },
  }, 300)
end)

it('a login whose outcome nobody learned ends for good, however late it arrives', function()
  f.explore({
    crash = f.die,
    steps = {
      { name = 'login of 1', by = 'n1', function() return f.login(1, 'n1', 'aa') end },
      { name = 'late login of 2', by = 'n2', function() return f.login_unheard(2, 'n2', 'aa') end },
      { name = 'logout of 2', by = 'n2', after = 'late login of 2', function() return f.logout(2) end },
      { name = 'login of 2 once more', by = 'n2', after = 'logout of 2', function() f.login_again(2) end },
      { name = 'login of 3', by = 'n1', function() return f.login(3, 'n1', 'aa') end },
      { name = 'messages to n1', by = 'n1', function() return f.deliver('n1') end },
    },
  }, 200)
end)

it('a login that comes after its time takes nothing', function()
  local late = { not_after = clock.now() + 10 }
  f.explore({
    steps = {
      { name = 'login of 1', function() return f.login(1, 'n1', 'aa') end },
      { name = 'login of 2, in time until then', function()
        local before = f.holder()
        f.login(2, 'n2', 'aa', late)
        assert(clock.now() <= late.not_after or f.holder() == before, 'it is late, and takes the seat')
      end },
      { name = 'time passes', function() clock.advance(11) end },
      { name = 'messages to n1', function() return f.deliver('n1') end },
      { name = '1 leaves', after = 'login of 1', function() return f.close(1) end },
      { name = 'logout of 1', after = '1 leaves', function() return f.logout(1) end },
    },
  }, 40)
end)

it('a seat that is held is not given away under deny, and its own ticket still resumes', function()
  local deny = { policy = 'deny' }
  -- A newcomer waits until the seat is free; whoever has the ticket that holds it does not.
  local function login(n, node, token)
    return function()
      local before = f.holder()
      local effects = f.login(n, node, token, deny)
      if effects and before and f.holder() ~= before then
        assert.is_true(effects.reply.json.resumed, 'a newcomer takes a seat that is held')
      end
      return effects
    end
  end
  f.explore({
    crash = f.die,
    steps = {
      { name = 'login of 1', by = 'n1', login(1, 'n1', 'aa') },
      { name = 'a ticket', function() clock.advance(1); f.issue('bb') end },
      { name = 'login of 2', by = 'n2', after = 'a ticket', login(2, 'n2', 'bb') },
      { name = 'login of 3', by = 'n2', login(3, 'n2', 'aa') },
      { name = '1 leaves', by = 'n1', after = 'login of 1', function() return f.close(1) end },
      { name = 'logout of 1', by = 'n1', after = '1 leaves', function() return f.logout(1) end },
    },
  }, 100)
end)

it('the seats of two classes do not touch each other', function()
  local phone = fleet{ memory = f.memory, class = 'phone' }
  phone.issue('pp')
  explore{
    memory = f.memory,
    check = function() f.check(); phone.check() end,
    finally = function() f.settle(); phone.settle() end,
    steps = {
      { name = 'login of 1', function() return f.login(1, 'n1', 'aa') end },
      { name = 'login of 2', function() return f.login(2, 'n2', 'aa') end },
      { name = 'login of 3 by phone', function() return phone.login(3, 'n1', 'pp') end },
      { name = 'login of 4 by phone', function() return phone.login(4, 'n2', 'pp') end },
      { name = '1 falls silent', after = 'login of 1', function() return f.close(1) end },
      { name = 'expiry of 1', after = '1 falls silent', function() return f.expire(1) end },
      { name = 'kick of the phone', function() phone.kick('n1') end },
    },
  }
end)
