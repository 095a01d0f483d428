-- A node stops in order.

local function register(node, more)
  local arguments = { node = node, owner = 'o', address = 'a:1', capacity = 10, store = 's' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('register', arguments).reply.json
end

local function leave(node, incarnation)
  local e = run('leave', { node = node, incarnation = incarnation })
  assert.effects('reply', e)
  return e.reply.json.outcome
end

describe('a node that leaves', function()
  it('is listed no more, and its name is free at once', function()
    local me = register('n1')
    register('n2')
    run('beat', { node = 'n1', incarnation = me.incarnation, count = 0 })
    assert.equal('left', leave('n1', me.incarnation))
    assert.is_nil(read(key('nodes')).n1)
    assert.equal('n2', read(key('leases'))[1])
    assert.is_nil(read(key('stats')), 'nobody asks what it counted')
    assert.equal('registered', register('n1', { owner = 'other' }).outcome)
  end)

  it('never takes a newer incarnation along (G3)', function()
    local old = register('n1')
    register('n1')
    local before = state()
    assert.equal('superseded', leave('n1', old.incarnation))
    assert.same(before, state())
  end)

  it('leaves once (G12)', function()
    local me = register('n1')
    leave('n1', me.incarnation)
    local before = state()
    assert.equal('superseded', leave('n1', me.incarnation))
    assert.same(before, state())
  end)
end)
