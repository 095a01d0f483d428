-- The node (or a reaper) ends a session: compare-and-remove by sid.

local UID = '1001'

local function login(n, token, more)
  local arguments = { uid = UID, sid = sid(n), token_digest = token, address = 'a:' .. n }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('login', arguments)
end

local function expire(n, reason, more)
  local arguments = { uid = UID, sid = sid(n), class = 'main', reason = reason }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  local e = run('expire', arguments)
  assert.effects('reply', e)
  return e.reply.json.outcome
end

local function count(node, incarnation)
  return run('count', { node = node or 'n1', incarnation = incarnation }).reply.json.count
end

before_each(function()
  run('ticket', { uid = UID, class = 'main', token_digest = 'aa', ttl_ms = 60000 })
end)

describe('a silent session', function()
  it('loses its seat and its place in the count, and can come back with its ticket', function()
    login(1, 'aa')
    assert.equal('expired', expire(1, 'expired'))
    assert.equal(0, count())
    assert.equal('expired', read(key('seat', UID))['main:end'])
    assert.equal('expired', run('lookup', { uid = UID }).reply.json.trail[1].event)
    assert.is_true(login(2, 'aa').reply.json.resumed)
  end)

  it('starts the deadline of its ticket', function()
    login(1, 'aa')
    clock.advance(600000)
    expire(1, 'expired')
    clock.advance(60001)
    assert.equal('expired', login(2, 'aa').reply.json.reason)
  end)

  it('is expired once (G12)', function()
    login(1, 'aa')
    expire(1, 'expired')
    local before = state()
    assert.equal('ended', expire(1, 'expired'))
    assert.same(before, state())
  end)

  it('never takes a newer holder along (G3)', function()
    login(1, 'aa')
    login(2, 'aa', { node = 'n2' })
    local before = state()
    assert.equal('ended', expire(1, 'expired'))
    assert.equal('ended', expire(1, 'reaped'))
    assert.same(before, state())
    assert.equal(1, count('n2'))
  end)
end)

describe('a reaped session', function()
  it('leaves a tombstone that says so and names it', function()
    login(1, 'aa', { node = 'n2' })
    assert.equal('reaped', expire(1, 'reaped', { node = 'n2' }))
    local seat = read(key('seat', UID))
    assert.equal('reaped', seat['main:end'])
    assert.equal(sid(1), seat['main:sid'])
    assert.equal('n2', seat['main:node'])
    assert.equal(0, count('n2'))
  end)

  it('that moved to a newer incarnation of its node is left alone by the reap of the older one (G3)', function()
    local bind = login(1, 'aa').bind
    local moved = run('verify', { uid = UID, sid = sid(1), class = 'main', token_digest = 'aa', number = bind.number,
      epoch = bind.epoch, address = 'a:1', incarnation = '1700000005000' })
    assert.equal('repaired', moved.reply.json.outcome)
    redis.call('ZADD', key('roster'), 0, 'n1#1700000000000|1001|main|' .. sid(1))
    assert.equal('moved', expire(1, 'reaped'))
    assert.equal(0, count('n1', '1700000000000'))
    assert.equal(1, count('n1', '1700000005000'))
    assert.equal(sid(1), run('lookup', { uid = UID }).reply.json.seats[1].sid)
  end)

  it('can still be expired by its own node under the newer incarnation', function()
    local bind = login(1, 'aa').bind
    run('verify', { uid = UID, sid = sid(1), class = 'main', token_digest = 'aa', number = bind.number,
      epoch = bind.epoch, address = 'a:1', incarnation = '1700000005000' })
    assert.equal('expired', expire(1, 'expired', { incarnation = '1700000005000' }))
    assert.equal(0, redis.call('ZCARD', key('roster')))
  end)

  it('of which nothing is known leaves no stray entry', function()
    redis.call('ZADD', key('roster'), 0, 'n1#1700000000000|1001|main|' .. sid(4))
    assert.equal('never', expire(4, 'reaped'))
    assert.equal(0, count())
  end)
end)

describe('the friends of a user whose session ends', { since = 2 }, function()
  before_each(function()
    redis.call('HSET', key('friends', '1001'), '1002', '{}')
    login(1, 'aa')
    redis.call('DEL', key('presence'))
  end)

  local function waiting()
    return redis.call('ZRANGE', key('presence'), 0, -1)
  end

  it('are nobody where the user has none', function()
    redis.call('DEL', key('friends', '1001'))
    expire(1, 'expired')
    assert.same({}, waiting())
  end)

  it('are told after the grace time, silent or reaped', function()
    for n, reason in ipairs({ 'expired', 'reaped' }) do
      login(n, 'aa')
      redis.call('DEL', key('presence'))
      expire(n, reason, { grace_ms = 5000 })
      assert.same({ '-1001' }, waiting())
      assert.is_true(tonumber(redis.call('ZSCORE', key('presence'), '-1001')) >= 1700000005000)
    end
  end)

  it('hear nothing of a session that is over already', function()
    login(2, 'aa')
    redis.call('DEL', key('presence'))
    expire(1, 'expired')
    assert.same({}, waiting())
  end)
end)

describe('the event of an end', { since = 2 }, function()
  it('has the reason', function()
    login(1, 'aa')
    expire(1, 'expired', { events_max = 100 })
    login(2, 'aa')
    expire(2, 'reaped', { events_max = 100 })
    local found = {}
    for _, entry in ipairs(redis.call('XRANGE', key('events'), '-', '+')) do
      found[#found + 1] = entry[2][2] .. ' ' .. entry[2][8]
    end
    -- The ids of entries tell two stores apart, so none stay.
    redis.call('DEL', key('events'))
    assert.same({ 'expired ' .. sid(1), 'reaped ' .. sid(2) }, found)
  end)
end)
