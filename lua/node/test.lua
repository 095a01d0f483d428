-- What is asked of one node has to be what the listing of all says of it.

local function register(more)
  local arguments = { node = 'n1', owner = 'o1', address = 'a:1', capacity = 10, store = 's', lease_ms = 1000 }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('register', arguments).reply.json
end

local function state_of(node)
  local e = run('node', { node = node })
  assert.effects('reply', e)
  return e.reply.json.state
end

it('a node lives for as long as its lease', function()
  register()
  assert.equal('live', state_of('n1'))
  clock.advance(999)
  assert.equal('live', state_of('n1'))
  clock.advance(1)
  assert.equal('dead', state_of('n1'))
end)

it('a node that is drained lives', function()
  register()
  run('drain', { node = 'n1', draining = '1', over_ms = 1000 })
  assert.equal('draining', state_of('n1'))
  run('drain', { node = 'n1', draining = '', over_ms = 0 })
  assert.equal('live', state_of('n1'))
end)

it('a node that left is told from one that died', function()
  local registered = register()
  run('leave', { node = 'n1', incarnation = registered.incarnation })
  assert.equal('left', state_of('n1'))
end)

it('nothing is said of a node that the directory does not know, or cannot read', function()
  assert.equal('unknown', state_of('n1'))
  redis.call('HSET', key('nodes'), 'n1', 'garbage')
  assert.equal('unknown', state_of('n1'))
end)

it('the listing of all nodes says the same', function()
  register()
  local second = register({ node = 'n2', owner = 'o2' })
  run('leave', { node = 'n2', incarnation = second.incarnation })
  for _ = 1, 2 do
    for _, node in ipairs(run('nodes').reply.json.nodes) do
      assert.equal(node.state, state_of(node.name), node.name)
    end
    clock.advance(5000)
  end
end)
