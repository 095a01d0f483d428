-- A node's sign of life.

local function register(node, more)
  local arguments = { node = node, owner = 'o', address = 'a:1', capacity = 10, store = 's' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('register', arguments).reply.json
end

local function beat(node, incarnation, count)
  local e = run('beat', { node = node, incarnation = incarnation, count = count or 0 })
  assert.effects('reply', e)
  return e.reply.json
end

describe('a beat', function()
  it('renews the lease and notes the count', function()
    local me = register('n1')
    clock.advance(2000)
    local answer = beat('n1', me.incarnation, 7)
    assert.same({ 'ok', me.now + 2000, me.now + 12000, 0 },
      { answer.outcome, answer.now, answer.deadline, answer.revision })
    assert.equal(string.format('%.0f', answer.deadline), redis.call('ZSCORE', key('leases'), 'n1'))
    assert.equal(7, json(read(key('nodes')).n1).count)
  end)

  it('tells the revision of the fleet, and notes that of the node with what it counted', function()
    local me = register('n1')
    redis.call('HSET', key('scripts'), 'revision', 1700000000007)
    local answer = run('beat', {
      node = 'n1', incarnation = me.incarnation, count = 0, revision = 1700000000003, trouble = 'no such text',
      body = '{"login@1":{"calls":3}}',
    }).reply.json
    assert.equal(1700000000007, answer.revision)
    local node = run('nodes').reply.json.nodes[1]
    assert.equal(1700000000003, node.revision)
    assert.equal('no such text', node.trouble)
    assert.equal(3, node.stats['login@1'].calls)
  end)

  it('keeps what the node said at its start', function()
    local me = register('n1')
    beat('n1', me.incarnation, 7)
    local record = json(read(key('nodes')).n1)
    assert.equal('a:1', record.address)
    assert.equal(10, record.capacity)
    assert.equal('o', record.owner)
    assert.equal(me.incarnation, record.incarnation)
  end)

  it('of a node that nobody knows is told to register, and leaves nothing', function()
    assert.equal('register', beat('n1', 5).outcome)
    assert.same({}, state())
  end)

  it('of a newer incarnation than the directory has is told to register (the store fell back)', function()
    local me = register('n1')
    local before = state()
    assert.equal('register', beat('n1', me.incarnation + 1).outcome)
    assert.same(before, state())
  end)

  it('of an older incarnation learns that it was superseded, and renews nothing (G3)', function()
    local old = register('n1')
    register('n1')
    local before = state()
    assert.equal('superseded', beat('n1', old.incarnation, 9).outcome)
    assert.same(before, state())
  end)

  it('of a node whose own registration lost its answer is told to register again (G12)', function()
    local old = register('n1')
    register('n1')
    local e = run('beat', { node = 'n1', incarnation = old.incarnation, owner = 'o', count = 1 })
    assert.equal('register', e.reply.json.outcome)
  end)

  it('of a node that was taken for dead is told to register anew (rule 7)', function()
    local me = register('n1')
    local record = string.gsub(read(key('nodes')).n1, '^{', '{"dead":true,')
    redis.call('HSET', key('nodes'), 'n1', record)
    assert.equal('register', beat('n1', me.incarnation).outcome)
    assert.equal('ok', beat('n1', register('n1').incarnation).outcome)
  end)

  it('comes back after its lease ran out, if nobody took it for dead', function()
    local me = register('n1')
    clock.advance(60000)
    assert.equal('ok', beat('n1', me.incarnation).outcome)
  end)
end)

-- The members of the leases that are no nodes.
local function leases()
  local found, flat = {}, read(key('leases'))
  for i = 1, #flat, 2 do
    found[flat[i]] = tonumber(flat[i + 1])
  end
  return found
end

local function change(node, from, to)
  local record, changes = string.gsub(read(key('nodes'))[node], from, to)
  assert.equal(1, changes)
  redis.call('HSET', key('nodes'), node, record)
end

describe('the answer to a beat', { since = 2 }, function()
  it('says when the directory heard of the node before', function()
    local me = register('n1')
    clock.advance(2000)
    assert.equal(me.now, beat('n1', me.incarnation).before)
    clock.advance(2000)
    assert.equal(me.now + 2000, beat('n1', me.incarnation).before)
  end)

  it('shows by a lower time that the directory went back', function()
    local me = register('n1')
    clock.advance(2000)
    local copy, told = store.copy(), beat('n1', me.incarnation).now
    store.fall_back(copy)
    clock.advance(1000)
    assert.is_true(beat('n1', me.incarnation).before < told)
  end)

  it('says whether the node is to be emptied', function()
    local me = register('n1')
    local answer = beat('n1', me.incarnation)
    assert.is_false(answer.draining)
    assert.equal(0, answer.over_ms)
    run('drain', { node = 'n1', draining = '1', over_ms = 60000 })
    answer = beat('n1', me.incarnation)
    assert.is_true(answer.draining)
    assert.equal(60000, answer.over_ms)
  end)

  it('says how many leases are out and not marked', function()
    local me = register('n1')
    register('n2')
    register('n3')
    clock.advance(9999)
    assert.equal(0, beat('n1', me.incarnation).overdue)
    clock.advance(1)
    assert.equal(2, beat('n1', me.incarnation).overdue)
  end)
end)

describe('a directory that all were silent in', { since = 2 }, function()
  it('is not calm for one lease after the first sign of life', function()
    local me = register('n1')
    assert.equal(me.now + 10000, leases()['|calm'], 'nobody was there before')
    assert.equal(me.now, leases()['|beat'])
    clock.advance(5000)
    beat('n1', me.incarnation)
    assert.equal(me.now + 10000, leases()['|calm'], 'half a lease is no gap')
    clock.advance(5001)
    beat('n1', me.incarnation)
    assert.equal(me.now + 20001, leases()['|calm'])
    assert.equal(me.now + 10001, leases()['|beat'])
  end)

  it('is not calm when it forgot who was heard of last', function()
    local me = register('n1')
    clock.advance(5000)
    redis.call('ZREM', key('leases'), '|beat', '|calm')
    beat('n1', me.incarnation)
    assert.equal(me.now + 15000, leases()['|calm'])
  end)

  it('learns nothing from a beat that is refused', function()
    local me = register('n1')
    local before = leases()
    clock.advance(20000)
    beat('n1', me.incarnation + 1)
    assert.same(before, leases())
  end)
end)

describe('time that went back', { since = 2 }, function()
  it('leaves no lease longer than it was meant to be', function()
    local me = register('n1')
    register('n2', { lease_ms = 4000 })
    register('n3')
    redis.call('HSET', key('nodes'), 'n3', 'garbage')
    clock.advance(-3600000)
    local now = clock.now()
    beat('n1', me.incarnation)
    assert.same({ n1 = now + 10000, n2 = now + 4000, n3 = now + 10000, ['|beat'] = now, ['|calm'] = now + 10000 }, leases())
  end)

  it('by little leaves leases that are not too long as they are', function()
    local me = register('n1')
    clock.advance(5000)
    local other = register('n2')
    clock.advance(-1)
    beat('n2', other.incarnation)
    assert.equal(me.deadline, leases().n1)
  end)
end)

describe('sessions that arrive', { since = 2 }, function()
  local me
  before_each(function()
    me = register('n1', { capacity = 100 })
    -- Three tickets that end first, and two that end later.
    change('n1', '"reserved":{}', '"reserved":{"1700000015000":3,"1700000016000":2,"1699999999000":9,"x":1,"1700000017000":"y"}')
  end)

  local function arrive(arrivals)
    run('beat', { node = 'n1', incarnation = me.incarnation, count = arrivals, arrivals = arrivals })
    return json(read(key('nodes')).n1).reserved
  end

  it('use up the tickets that end first', function()
    clock.set(1700000000000)
    assert.same({ ['1700000015000'] = 1, ['1700000016000'] = 2 }, arrive(2))
    assert.same({ ['1700000016000'] = 1 }, arrive(2))
    assert.same({}, arrive(2))
  end)

  it('use up none when none arrived; those whose time is over are gone', function()
    clock.set(1700000000000)
    assert.same({ ['1700000015000'] = 3, ['1700000016000'] = 2 }, arrive(0))
    clock.set(1700000015000)
    assert.same({ ['1700000016000'] = 2 }, arrive(''))
    clock.set(1700000016000)
    assert.same({}, arrive(0))
  end)
end)

describe('a record', { since = 2 }, function()
  it('that cannot be read makes its node register anew', function()
    local me = register('n1')
    redis.call('HSET', key('nodes'), 'n1', 'garbage')
    assert.equal('register', beat('n1', me.incarnation).outcome)
    assert.equal('ok', beat('n1', register('n1', { incarnation = me.incarnation }).incarnation).outcome)
  end)

  it('keeps what newer versions may have noted', function()
    local me = register('n1')
    change('n1', '^{', '{"later":7,')
    beat('n1', me.incarnation)
    assert.equal(7, json(read(key('nodes')).n1).later)
  end)
end)
