-- Issuing tickets: two slots, numbers that grow, deadlines that run only while nobody sits on the seat.

local UID = '1001'

local function issue(token, more)
  local arguments = { uid = UID, class = 'main', token_digest = token }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('ticket', arguments).reply.json
end

local function login(n, token)
  return run('login', { uid = UID, sid = sid(n), token_digest = token, address = 'a:1' })
end

local function tickets()
  return read(key('ticket', UID)) or {}
end

describe('a ticket', function()
  it('stands in the next slot with number, deadline and time to live', function()
    local now = clock.now()
    local e = run('ticket', { uid = UID, class = 'main', token_digest = 'aa', ttl_ms = 60000 })
    assert.effects('reply', e)
    assert.equal(0, e.reply.id)
    local ticket = e.reply.json
    assert.is_true(ticket.number >= now)
    assert.equal(ticket.number + 60000, ticket.expires_at_ms)
    local number, deadline = string.format('%.0f', ticket.number), string.format('%.0f', ticket.expires_at_ms)
    assert.same({ ['main:next'] = 'aa', ['main:next_number'] = number, ['main:next_until'] = deadline,
      ['main:next_ttl'] = '60000' }, tickets())
  end)

  it('replaces an unused one, which opens nothing any more', function()
    local first = issue('aa')
    local second = issue('bb')
    assert.is_true(second.number > first.number)
    assert.equal(1010, login(1, 'aa').reply.json.error)
    assert.equal(0, login(1, 'bb').reply.json.error)
  end)

  it('leaves the one that holds the seat good until it is used', function()
    issue('aa')
    login(1, 'aa')
    issue('bb')
    assert.is_true(login(2, 'aa').reply.json.resumed)
    assert.equal(0, login(3, 'bb').reply.json.error)
    assert.equal('displaced', login(4, 'aa').reply.json.reason)
  end)

  it('of one class says nothing about another', function()
    issue('aa')
    issue('pp', { class = 'phone' })
    assert.equal('main', login(1, 'aa').bind.class)
    assert.equal('phone', login(2, 'pp').bind.class)
  end)

  it('has a number above every other of its class, even when time goes back', function()
    local first = issue('aa')
    clock.advance(-100000)
    local second = issue('bb')
    assert.equal(first.number + 1, second.number)
    login(1, 'bb')
    assert.equal(second.number + 1, issue('cc').number)
  end)

  it('has a number above the holder\'s when the tickets are lost', function()
    local first = issue('aa')
    login(1, 'aa')
    redis.call('DEL', key('ticket', UID))
    clock.advance(-100000)
    assert.equal(first.number + 1, issue('bb').number)
  end)
end)

describe('the token that is held', function()
  it('when issued again keeps its slot and number, so that coming back is a resume', function()
    local first = issue('aa')
    login(1, 'aa')
    local again = issue('aa')
    assert.equal(first.number, again.number)
    assert.is_nil(tickets()['main:next'])
    assert.is_true(login(2, 'aa').reply.json.resumed)
  end)

  it('when issued again on an empty seat lives longer', function()
    issue('aa', { ttl_ms = 5000 })
    login(1, 'aa')
    run('logout', { uid = UID, sid = sid(1) })
    clock.advance(4000)
    issue('aa', { ttl_ms = 5000 })
    clock.advance(4000)
    assert.equal(0, login(2, 'aa').reply.json.error)
  end)

  it('when it was voided and is issued anew is good again', function()
    issue('aa')
    login(1, 'aa')
    issue('bb')
    login(2, 'bb')
    issue('aa')
    assert.is_nil(tickets()['main:void'])
    assert.effects('bind reply kick', login(3, 'aa'))
    assert.equal('displaced', login(4, 'bb').reply.json.reason)
  end)
end)

describe('the deadline', function()
  it('of a held ticket does not run while the seat is held', function()
    issue('aa', { ttl_ms = 5000 })
    login(1, 'aa')
    assert.is_nil(tickets()['main:held_until'])
    clock.advance(50000)
    run('logout', { uid = UID, sid = sid(1) })
    assert.equal(string.format('%.0f', clock.now() + 5000), tickets()['main:held_until'])
  end)

  it('keeps the tickets for an hour longer, so that a late device is told why', function()
    clock.set(clock.now())
    issue('aa', { ttl_ms = 5000 })
    assert.equal(3605000, redis.call('PTTL', key('ticket', UID)))
    clock.advance(3604999)
    assert.equal('expired', login(1, 'aa').reply.json.reason)
    clock.advance(2)
    assert.equal(1011, login(1, 'aa').reply.json.error)
  end)

  it('lets nothing expire while a class is held', function()
    issue('aa')
    login(1, 'aa')
    issue('bb')
    issue('pp', { class = 'phone' })
    assert.equal(-1, redis.call('PTTL', key('ticket', UID)))
    assert.equal(-1, redis.call('PTTL', key('seat', UID)))
  end)

  it('lets the tombstone live for an hour from the last ticket on', function()
    issue('aa')
    login(1, 'aa')
    run('logout', { uid = UID, sid = sid(1) })
    clock.advance(3500000)
    issue('bb')
    assert.equal(3600000, redis.call('PTTL', key('seat', UID)))
  end)
end)

describe('a token that a backend brings', function()
  it('is for one class of a user only: it could not be told apart later', function()
    issue('aa')
    local before = state()
    assert.same({ error = 'token_in_use', class = 'main' }, issue('aa', { class = 'pad' }))
    assert.same(before, state())
  end)
end)
