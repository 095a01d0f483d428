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
  it('is listed no more, and its name is free at once', { till = 1 }, function()
    local me = register('n1')
    register('n2')
    run('beat', { node = 'n1', incarnation = me.incarnation, count = 0 })
    assert.equal('left', leave('n1', me.incarnation))
    assert.is_nil(read(key('nodes')).n1)
    assert.is_nil(redis.call('ZSCORE', key('leases'), 'n1') or nil)
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

  it('leaves once (G12)', { till = 1 }, function()
    local me = register('n1')
    leave('n1', me.incarnation)
    local before = state()
    assert.equal('superseded', leave('n1', me.incarnation))
    assert.same(before, state())
  end)
end)

describe('a node that has left', { since = 2 }, function()
  local me
  before_each(function()
    me = register('n1')
    register('n2')
    run('beat', { node = 'n1', incarnation = me.incarnation, count = 3 })
    assert.equal('left', leave('n1', me.incarnation))
  end)

  it('is known as such, without lease and numbers', function()
    local record = json(read(key('nodes')).n1)
    assert.is_true(record.left)
    assert.is_true(record.dead >= me.now)
    assert.is_nil(redis.call('ZSCORE', key('leases'), 'n1') or nil)
    assert.is_nil(read(key('stats')))
    assert.equal('n2', run('assign').reply.json.node)
  end)

  it('has to register before it beats again', function()
    assert.equal('register', run('beat', { node = 'n1', incarnation = me.incarnation, count = 0 }).reply.json.outcome)
    assert.equal('registered', register('n1').outcome)
  end)

  it('leaves no second time (G12)', function()
    local before = state()
    assert.equal('superseded', leave('n1', me.incarnation))
    assert.same(before, state())
  end)

  it('leaves its name free at once', function()
    assert.equal('registered', register('n1', { owner = 'other' }).outcome)
  end)
end)

it('a record that cannot be read is nobody\'s to end', { since = 2 }, function()
  redis.call('HSET', key('nodes'), 'n1', 'garbage')
  assert.equal('superseded', leave('n1', 5))
end)
