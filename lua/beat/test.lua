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
    assert.same({ outcome = 'ok', now = me.now + 2000, deadline = me.now + 12000, revision = 0 }, answer)
    assert.same({ 'n1', string.format('%.0f', answer.deadline) }, read(key('leases')))
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
