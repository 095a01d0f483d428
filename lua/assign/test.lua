-- Which node a newcomer is sent to.

local function register(node, capacity, count)
  local me = run('register', { node = node, owner = 'o', address = node .. ':1', capacity = capacity, store = 's' }).reply.json
  run('beat', { node = node, incarnation = me.incarnation, count = count })
  return me
end

local function assign()
  local e = run('assign', {})
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
    assert.same({ node = 'n1', address = 'n1:1' }, assign())
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
