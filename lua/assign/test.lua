-- Which node a newcomer is sent to.

local function register(node, capacity, count)
  local me = run('register', { node = node, owner = 'o', address = node .. ':1', capacity = capacity, store = 's' }).reply.json
  run('beat', { node = node, incarnation = me.incarnation, count = count })
  return me
end

local function assign(more)
  local e = run('assign', more or {})
  assert.effects('reply', e)
  return e.reply.json
end

local function change(node, from, to)
  local record, changes = string.gsub(read(key('nodes'))[node], from, to)
  assert.equal(1, changes)
  redis.call('HSET', key('nodes'), node, record)
end

describe('assign', function()
  it('names the only node, and its address', function()
    register('n1', 10, 3)
    local answer = assign()
    assert.same({ 'n1', 'n1:1' }, { answer.node, answer.address })
  end)

  it('says so when there is no node', function()
    assert.same({ error = 'no_node', retry_after_ms = 1000 }, assign())
  end)

  it('names the one with the smallest share of its capacity in use', function()
    register('n1', 10, 5)
    register('n2', 1000, 100)
    register('n3', 10, 2)
    assert.equal('n2', assign().node)
  end)

  it('names the first by name among equals', function()
    register('n2', 10, 0)
    register('n1', 10, 0)
    assert.equal('n1', assign().node)
  end)

  it('passes over full, draining and dead nodes', function()
    register('n1', 10, 10)
    register('n2', 10, 0)
    register('n3', 10, 0)
    register('n4', 10, 9)
    change('n2', '"draining":false', '"draining":true')
    change('n3', '^{', '{"dead":true,')
    assert.equal('n4', assign().node)
  end)

  it('passes over a node whose lease has run out', function()
    register('n1', 10, 0)
    clock.advance(9999)
    assert.equal('n1', assign().node)
    clock.advance(1)
    assert.equal('no_node', assign().error)
  end)

  it('passes over a lease without a node', function()
    redis.call('ZADD', key('leases'), clock.now() + 5000, 'n1')
    assert.equal('no_node', assign().error)
  end)
end)

-- What each node was given by so many calls, each for `count` tickets.
local function burst(calls, count, more)
  local given, arguments = {}, { count = count, reserve_ms = 15000 }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  for _ = 1, calls do
    for _, part in ipairs(assign(arguments).nodes or {}) do
      given[part.node] = (given[part.node] or 0) + part.count
    end
  end
  return given
end

local function add(node, more)
  local arguments = { node = node, owner = 'o', address = node .. ':1', capacity = 1000, store = 's' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('register', arguments).reply.json
end

describe('a burst', { since = 2 }, function()
  it('spreads evenly over equal nodes, whether asked one by one or at once', function()
    for n = 1, 4 do
      add('n' .. n)
    end
    assert.same({ n1 = 25, n2 = 25, n3 = 25, n4 = 25 }, burst(100, 1))
    assert.same({ n1 = 250, n2 = 250, n3 = 250, n4 = 250 }, burst(1, 1000))
    assert.same({ n1 = 5, n2 = 5, n3 = 4, n4 = 4 }, burst(2, 9))
  end)

  it('fills up whoever has least first', function()
    register('n1', 1000, 60)
    register('n2', 1000, 0)
    register('n3', 1000, 20)
    assert.same({ n2 = 20 }, burst(1, 20))
    assert.same({ n2 = 40, n3 = 40 }, burst(80, 1))
    assert.same({ n1 = 2, n2 = 2, n3 = 2 }, burst(1, 6))
  end)

  it('spreads by weight and capacity', function()
    add('n1', { weight = 100 })
    add('n2', { weight = 50 })
    add('n3', { weight = 100, capacity = 500 })
    assert.same({ n1 = 200, n2 = 100, n3 = 100 }, burst(1, 400))
    assert.same({ n1 = 20, n2 = 10, n3 = 10 }, burst(40, 1))
  end)

  it('gives nothing to a node of no weight', function()
    add('n1', { weight = 0 })
    assert.equal('no_node', assign().error)
  end)

  it('goes the same way at once as one by one, whatever the nodes have', function()
    math.randomseed(clock.now())
    for n = 1, 5 do
      register('n' .. n, math.random(50, 400), math.random(0, 50))
    end
    local copy = store.copy()
    local singly = burst(300, 1)
    store.fall_back(copy)
    assert.same(singly, burst(1, 300))
    store.fall_back(copy)
    assert.same(singly, burst(20, 15))
  end)

  it('gives a full node no more, and says by the counts how many found a place', function()
    add('n1', { capacity = 10 })
    add('n2', { capacity = 3 })
    local answer = assign({ count = 100, reserve_ms = 15000 })
    assert.same({ { node = 'n1', address = 'n1:1', count = 10 }, { node = 'n2', address = 'n2:1', count = 3 } }, answer.nodes)
    assert.equal('n1', answer.node)
    assert.equal('no_node', assign({ reserve_ms = 15000 }).error)
  end)

  it('goes to the nodes of its zone, and to others when these are full', function()
    add('n1', { zone = 'east' })
    add('n2', { zone = 'west', capacity = 5 })
    add('n3', { zone = 'west', capacity = 5 })
    add('n4')
    assert.same({ n2 = 3, n3 = 3 }, burst(6, 1, { zone = 'west' }))
    local answer = assign({ count = 10, reserve_ms = 15000, zone = 'west' })
    assert.equal('n2', answer.node)
    assert.same({ { node = 'n2', address = 'n2:1', count = 2 }, { node = 'n3', address = 'n3:1', count = 2 },
      { node = 'n1', address = 'n1:1', count = 3 }, { node = 'n4', address = 'n4:1', count = 3 } }, answer.nodes)
    assert.same({ n1 = 5, n4 = 5 }, burst(1, 10, { zone = 'south' }), 'a zone that nobody is in')
  end)

  it('passes over a node that is drained', function()
    add('n1')
    add('n2')
    run('drain', { node = 'n1', draining = '1', over_ms = 1000 })
    assert.same({ n2 = 10 }, burst(5, 2))
  end)

  it('is not misled by what cannot be read', function()
    add('n1')
    add('n2')
    redis.call('HSET', key('nodes'), 'n1', 'garbage')
    assert.same({ n2 = 2 }, burst(2, 1))
  end)
end)

describe('a place', { since = 2 }, function()
  it('is kept until the session arrives', function()
    local me = add('n1', { capacity = 4 })
    assert.same({ n1 = 4 }, burst(4, 1))
    assert.equal('no_node', assign().error)
    run('beat', { node = 'n1', incarnation = me.incarnation, owner = 'o', count = 3, arrivals = 3 })
    assert.equal('no_node', assign().error, 'three sit, one is on the way')
    run('beat', { node = 'n1', incarnation = me.incarnation, owner = 'o', count = 1, arrivals = 0 })
    assert.same({ n1 = 2 }, burst(3, 1))
  end)

  it('is kept until its time is over, rounded up to a second', function()
    add('n1', { capacity = 4, lease_ms = 60000 })
    clock.advance(1)
    assert.same({ n1 = 4 }, burst(1, 9))
    clock.advance(15998)
    assert.equal('no_node', assign().error)
    clock.advance(1)
    assert.same({ n1 = 4 }, burst(1, 9))
  end)

  it('is told for how long, where all are taken', function()
    add('n1', { capacity = 4, lease_ms = 60000 })
    clock.advance(7500)
    burst(2, 1)
    clock.advance(2000)
    burst(2, 1)
    assert.same({ error = 'no_node', retry_after_ms = 13500 }, assign({ reserve_ms = 15000 }))
    clock.advance(13000)
    assert.equal(1000, assign({ reserve_ms = 15000 }).retry_after_ms)
  end)

  it('may also be free when the lease of a node ends', function()
    register('n1', 1, 1)
    clock.advance(4000)
    assert.equal(6000, assign().retry_after_ms)
  end)

  it('is not kept for longer when time went back', function()
    local me = add('n1', { capacity = 4, lease_ms = 60000 })
    burst(1, 4)
    clock.advance(-3600000)
    run('beat', { node = 'n1', incarnation = me.incarnation, owner = 'o', count = 1 })
    assert.same({ n1 = 3 }, burst(1, 4))
  end)

  it('costs no more than one entry per second', function()
    clock.set(1700000000000)
    add('n1')
    burst(50, 1)
    assert.same({ ['1700000015000'] = 50 }, json(read(key('nodes')).n1).reserved)
    clock.set(1700000000001)
    burst(50, 1)
    assert.same({ ['1700000015000'] = 50, ['1700000016000'] = 50 }, json(read(key('nodes')).n1).reserved)
  end)
end)
