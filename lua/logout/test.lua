-- A session that ends by itself: only the holder empties the seat, and a sid that ended stays out.

local UID = '1001'

local function login(n, token, more)
  local arguments = { uid = UID, sid = sid(n), token_digest = token, address = 'a:' .. n }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('login', arguments)
end

local function logout(n, more)
  local arguments = { uid = UID, sid = sid(n) }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  local e = run('logout', arguments)
  assert.effects('reply', e)
  return e.reply.json.outcome
end

local function issue(token, class)
  run('ticket', { uid = UID, class = class or 'main', token_digest = token })
end

local function seats()
  return #run('lookup', { uid = UID }).reply.json.seats
end

local function count(node)
  return run('count', { node = node or 'n1' }).reply.json.count
end

describe('the holder', function()
  before_each(function()
    issue('aa')
    login(1, 'aa')
  end)

  it('leaves an empty seat, no roster entry, a tombstone and a line in the trail', function()
    assert.equal('left', logout(1))
    assert.equal(0, seats())
    assert.equal(0, count())
    local seat = read(key('seat', UID))
    assert.equal('left', seat['main:end'])
    assert.equal(sid(1), seat['main:ended1'])
    assert.is_not_nil(seat['main:epoch'])
    assert.is_not_nil(seat['main:number'])
    local trail = run('lookup', { uid = UID }).reply.json.trail
    assert.equal('left', trail[1].event)
    assert.equal(sid(1), trail[1].sid)
    assert.equal('a:1', trail[1].address)
    assert.matches('^logout@%d+$', trail[1].version)
  end)

  it('is found without its class, and whatever node asks', function()
    assert.equal('left', logout(1, { class = '', node = 'n9', incarnation = '5' }))
    assert.equal(0, count())
  end)

  it('is looked for in the class that is named, and in no other', function()
    assert.equal('never', logout(1, { class = 'phone' }))
    assert.equal(1, count())
  end)

  it('tells nobody', function()
    published()
    logout(1)
    assert.same({}, published())
  end)

  it('ends once: a repeated logout says so and changes nothing (G12)', function()
    logout(1)
    local before = state()
    assert.equal('ended', logout(1))
    assert.equal('ended', logout(1, { class = 'main' }))
    assert.same(before, state())
  end)

  it('that was reaped by mistake and leaves now is not seated again by a late verify', function()
    local bind = login(1, 'aa').bind
    run('expire', { uid = UID, sid = sid(1), class = 'main', reason = 'reaped' })
    assert.equal('ended', logout(1))
    local e = run('verify', { uid = UID, sid = sid(1), class = 'main', token_digest = 'aa', number = bind.number,
      epoch = bind.epoch, address = 'a:1' })
    assert.equal('closed', e.reply.json.outcome)
    assert.equal(0, count())
  end)

  it('of one class leaves the other class alone', function()
    issue('pp', 'phone')
    login(2, 'pp')
    assert.equal('left', logout(1))
    assert.equal(1, seats())
    assert.equal(1, count())
    assert.equal(-1, redis.call('PTTL', key('seat', UID)))
    assert.equal('left', logout(2))
    assert.is_true(redis.call('PTTL', key('seat', UID)) > 0)
  end)
end)

describe('anybody else', function()
  it('never touches the holder (G3)', function()
    issue('aa')
    login(1, 'aa')
    issue('bb')
    login(2, 'bb', { node = 'n2' })
    local before = state()
    assert.equal('ended', logout(1))
    assert.equal('ended', logout(1, { class = 'main' }))
    assert.same(before, state())
    assert.equal('never', logout(7, { class = 'main' }))
    assert.equal(1, seats())
    assert.equal(1, count('n2'))
    assert.equal(-1, redis.call('PTTL', key('seat', UID)))
  end)

  it('who never held the seat is kept out from now on, with and without a class (rule 2)', function()
    issue('aa')
    assert.equal('never', logout(1))
    assert.equal('never', logout(2, { class = 'main' }))
    assert.effects('reply close', login(1, 'aa'))
    assert.effects('reply close', login(2, 'aa'))
    assert.equal('ended', logout(1))
    assert.equal('ended', logout(2, { class = 'main' }))
    assert.equal(0, login(3, 'aa').reply.json.error)
  end)

  it('leaves nothing behind that lives for ever', function()
    assert.equal('never', logout(1))
    local left = redis.call('PTTL', key('seat', UID))
    assert.is_true(left > 0 and left <= 3600000)
  end)

  it('takes its stray roster entry along', function()
    issue('aa')
    login(2, 'aa')
    redis.call('ZADD', key('roster'), 0, 'n1#1700000000000|1001|main|' .. sid(1))
    assert.equal(2, count())
    logout(1, { class = 'main' })
    assert.equal(1, count())
  end)
end)

describe('the tombstone', function()
  it('is gone after an hour', function()
    issue('aa')
    login(1, 'aa')
    logout(1)
    clock.advance(3599999)
    assert.is_not_nil(read(key('seat', UID)))
    clock.advance(2)
    assert.is_nil(read(key('seat', UID)))
  end)
end)

describe('the friends of a user who leaves', { since = 2 }, function()
  before_each(function()
    redis.call('HSET', key('friends', '1001'), '1002', '{}')
    issue('aa')
    login(1, 'aa')
    redis.call('DEL', key('presence'))
  end)

  local function waiting()
    return redis.call('ZRANGE', key('presence'), 0, -1, 'WITHSCORES')
  end

  it('are nobody where the user has none', function()
    redis.call('DEL', key('friends', '1001'))
    logout(1)
    assert.same({}, waiting())
  end)

  it('are told after the grace time, counted from the first logout', function()
    local before = clock.now()
    logout(1, { grace_ms = 5000 })
    local found = waiting()
    assert.equal('-1001', found[1])
    assert.is_true(tonumber(found[2]) >= before + 5000 and tonumber(found[2]) <= clock.now() + 5000)
    clock.tick()
    logout(1, { grace_ms = 5000 })
    assert.same(found, waiting())
  end)

  it('are told at once where there is no such time', function()
    logout(1, { grace_ms = 0 })
    assert.is_true(tonumber(waiting()[2]) <= clock.now())
  end)

  it('hear nothing where they were not told yet that the user came', function()
    redis.call('ZADD', key('presence'), 1, '+1001', 1, '=1001')
    logout(1)
    assert.same({}, waiting())
  end)

  it('hear nothing while another class is held', function()
    issue('pp', 'phone')
    login(2, 'pp')
    redis.call('DEL', key('presence'))
    logout(1)
    assert.same({}, waiting())
    logout(2)
    assert.equal('-1001', waiting()[1])
  end)

  it('hear nothing of anybody else', function()
    logout(7)
    assert.same({}, waiting())
  end)
end)

describe('the event of a logout', { since = 2 }, function()
  it('names what the seat knows of the session, and comes once', function()
    issue('aa')
    login(1, 'aa', { node = 'n2' })
    logout(1, { class = '', events_max = 100 })
    local by = 'logout@' .. given_version()
    logout(1, { class = '', events_max = 100 })
    local entries = redis.call('XRANGE', key('events'), '-', '+')
    -- The ids of entries tell two stores apart, so none stay.
    redis.call('DEL', key('events'))
    assert.equal(1, #entries)
    local fields = entries[1][2]
    assert.matches('^17%d+$', fields[12])
    fields[12] = 'now'
    assert.same({ 'event', 'left', 'uid', UID, 'class', 'main', 'sid', sid(1), 'node', 'n2', 'at', 'now', 'by', by }, fields)
  end)
end)
