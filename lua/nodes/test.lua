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
    assert.same({ name = 'n1', address = 'n1:1', live = true, count = 4, capacity = 10, incarnation = me.incarnation,
      draining = false, lease_ms = lease_ms, trouble = '', stats = {} }, found[1])
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
