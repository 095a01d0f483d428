-- What an operator sees of a user.

local function lookup(uid)
  local e = run('lookup', { uid = uid })
  assert.effects('reply', e)
  return e.reply.json
end

local function login(n, token, class)
  run('ticket', { uid = '1001', class = class, token_digest = token })
  return run('login', { uid = '1001', sid = sid(n), token_digest = token, address = 'a:' .. n })
end

describe('a lookup', function()
  it('of an unknown user is empty', function()
    assert.same({ uid = 'nobody', seats = {}, trail = {} }, lookup('nobody'))
  end)

  it('shows every held seat, by class', function()
    login(1, 'aa', 'phone')
    local bind = login(2, 'bb', 'desktop').bind
    local found = lookup('1001')
    assert.equal('1001', found.uid)
    assert.equal(2, #found.seats)
    local seat = found.seats[1]
    assert.equal('desktop', seat.class)
    assert.equal('phone', found.seats[2].class)
    assert.equal(sid(2), seat.sid)
    assert.equal('n1', seat.node)
    assert.equal('a:2', seat.address)
    assert.equal(bind.epoch, seat.epoch)
    assert.equal(bind.epoch, seat.since)
    assert.equal(1700000000000, seat.incarnation)
  end)

  it('shows no seat that is empty, but what happened to it, newest first', function()
    login(1, 'aa', 'main')
    run('logout', { uid = '1001', sid = sid(1) })
    local found = lookup('1001')
    assert.same({}, found.seats)
    assert.equal('left', found.trail[1].event)
    assert.equal('taken', found.trail[2].event)
    assert.equal('n1', found.trail[2].node)
    assert.is_true(found.trail[1].at >= found.trail[2].at)
  end)

  it('writes nothing', function()
    login(1, 'aa', 'main')
    local before = state()
    lookup('1001')
    assert.same(before, state())
  end)
end)
