-- The directory as operators see it.

local function register(node)
  return run('register', { node = node, owner = 'o', address = node .. ':1', capacity = 10, store = 's' }).reply.json
end

local function nodes()
  local e = run('nodes', {})
  assert.effects('reply', e)
  return e.reply.json.nodes
end

describe('the nodes', function()
  it('are none at first', function()
    assert.same({}, nodes())
  end)

  it('come by name, with what each said last', function()
    register('n2')
    local me = register('n1')
    run('beat', { node = 'n1', incarnation = me.incarnation, count = 4 })
    local found = nodes()
    assert.equal(2, #found)
    local lease_ms = found[1].lease_ms
    assert.is_true(lease_ms > 0 and lease_ms <= 10000)
    local expected = { name = 'n1', address = 'n1:1', live = true, count = 4, capacity = 10, incarnation = me.incarnation,
      draining = false, lease_ms = lease_ms, trouble = '', stats = {} }
    for field, value in pairs(expected) do
      assert.same(value, found[1][field], field)
    end
    assert.equal('n2', found[2].name)
  end)

  it('stay listed when their lease has run out, as not live', function()
    register('n1')
    clock.advance(10000)
    local found = nodes()[1]
    assert.is_false(found.live)
    assert.equal(0, found.lease_ms)
  end)

  it('are listed also where what one counted is no JSON', function()
    register('n1')
    redis.call('HSET', key('stats'), 'n1', 'garbage')
    assert.same({}, nodes()[1].stats)
  end)

  it('stay listed when their lease is lost', function()
    register('n1')
    redis.call('DEL', key('leases'))
    assert.is_false(nodes()[1].live)
  end)
end)

describe('a node', { since = 2 }, function()
  local me
  before_each(function()
    me = register('n1')
    register('n2')
  end)

  it('shows its weight, zone and last sign of life', function()
    run('register', { node = 'n1', owner = 'o', address = 'n1:1', capacity = 10, store = 's', weight = 50, zone = 'east' })
    local found = nodes()[1]
    assert.same({ 50, 'east', 0, 0, 'live' }, { found.weight, found.zone, found.reserved, found.over_ms, found.state })
    assert.is_true(found.at >= me.now)
  end)

  it('shows the tickets that were handed out for it', function()
    run('assign', { count = 6, reserve_ms = 15000 })
    assert.equal(3, nodes()[1].reserved)
    assert.equal(3, nodes()[2].reserved)
  end)

  it('that is drained, dead or gone says so, and who drains says over how long', function()
    run('drain', { node = 'n1', draining = '1', over_ms = 60000 })
    assert.same({ 'draining', true, 60000 }, { nodes()[1].state, nodes()[1].draining, nodes()[1].over_ms })
    assert.is_true(nodes()[1].live)
    run('leave', { node = 'n1', incarnation = me.incarnation })
    assert.equal('left', nodes()[1].state)
    assert.is_false(nodes()[1].live)
    redis.call('ZREM', key('leases'), 'n2')
    assert.equal('dead', nodes()[2].state)
  end)

  it('that was marked is dead, whatever its lease', function()
    redis.call('HSET', key('nodes'), 'n1', (string.gsub(read(key('nodes')).n1, '^{', '{"dead":1,')))
    local found = nodes()[1]
    assert.same({ 'dead', false, 0 }, { found.state, found.live, found.lease_ms })
  end)

  it('whose record cannot be read spoils nobody else\'s', function()
    redis.call('HSET', key('nodes'), 'n0', 'garbage', 'n1', '[]')
    assert.equal(1, #nodes())
    assert.equal('n2', nodes()[1].name)
  end)
end)
