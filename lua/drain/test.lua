-- A node is emptied before it stops.

local function register(node, more)
  local arguments = { node = node, owner = 'o', address = node .. ':1', capacity = 10, store = 's' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('register', arguments).reply.json
end

local function drain(node, draining, over_ms)
  local e = run('drain', { node = node, draining = draining, over_ms = over_ms })
  assert.effects('reply', e)
  return e.reply.json
end

describe('a drain', function()
  local me
  before_each(function()
    me = register('n1')
    run('beat', { node = 'n1', incarnation = me.incarnation, owner = 'o', count = 7 })
  end)

  it('is noted, and answers how many sessions and other nodes there are', function()
    register('n2')
    register('n3')
    assert.same({ outcome = 'draining', count = 7, others = 2 }, drain('n1', '1', 60000))
    local record = json(read(key('nodes')).n1)
    assert.is_true(record.draining)
    assert.equal(60000, record.over_ms)
    assert.same({ outcome = 'draining', count = 0, others = 1 }, drain('n2', '1'))
    assert.equal('n3', run('assign').reply.json.node)
  end)

  it('ends when it is taken back, and a second time changes nothing (G12)', function()
    drain('n1', '1', 60000)
    local before = json(read(key('nodes')).n1)
    assert.same({ outcome = 'draining', count = 7, others = 0 }, drain('n1', '1', 60000))
    assert.same(before, json(read(key('nodes')).n1))
    assert.same({ outcome = 'undrained', count = 7, others = 0 }, drain('n1', ''))
    local record = json(read(key('nodes')).n1)
    assert.is_false(record.draining)
    assert.equal(0, record.over_ms)
    assert.equal('n1', run('assign').reply.json.node)
  end)

  it('of a node that nobody knows is refused', function()
    local before = state()
    assert.same({ outcome = 'unknown', count = 0, others = 1 }, drain('n2', '1', 1000))
    redis.call('HSET', key('nodes'), 'n2', 'garbage')
    assert.equal('unknown', drain('n2', '1', 1000).outcome)
    redis.call('HDEL', key('nodes'), 'n2')
    assert.same(before, state())
  end)

  it('of a node that is dead, has left or whose lease is out is refused', function()
    local other = register('n2')
    run('leave', { node = 'n2', incarnation = other.incarnation })
    local before = state()
    assert.equal('dead', drain('n2', '1', 1000).outcome)
    assert.same(before, state())
    redis.call('ZREM', key('leases'), 'n1')
    assert.same({ outcome = 'dead', count = 7, others = 0 }, drain('n1', '1', 1000))
  end)

  it('counts no full node among the others', function()
    register('n2', { capacity = 1 })
    register('n3', { capacity = 1 })
    run('assign', { count = 11, reserve_ms = 60000 })
    assert.equal(0, drain('n1', '1', 1000).others)
  end)
end)
