-- A node starts: its name is its own, its incarnation is new, and the store is one that it understands.

local function with(arguments, more)
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return arguments
end

local function register(node, more)
  local e = run('register', with({ node = node, owner = 'o-' .. node, address = node .. ':8090', capacity = 100, store = 's1' }, more))
  assert.effects('reply', e)
  return e.reply.json
end

local function beat(node, incarnation)
  return run('beat', { node = node, incarnation = incarnation, count = 0 }).reply.json.outcome
end

describe('a first node', function()
  it('marks the store and gets an incarnation and a lease', function()
    local before = clock.now()
    local answer = register('n1')
    assert.equal('registered', answer.outcome)
    assert.is_true(answer.incarnation >= before)
    assert.equal(answer.now + 10000, answer.deadline)
    assert.equal('s1', answer.store)
    assert.same({ schema = '1', shards = '1', store = 's1' }, read(key('meta')))
    assert.same({ 'n1', string.format('%.0f', answer.deadline) }, read(key('leases')))
    local record = json(read(key('nodes')).n1)
    assert.equal('n1:8090', record.address)
    assert.equal(100, record.capacity)
    assert.equal(0, record.count)
    assert.equal(answer.incarnation, record.incarnation)
    assert.is_false(record.draining)
  end)

  it('keeps the identity that the store has', function()
    register('n1')
    assert.equal('s1', register('n2', { store = 's2' }).store)
  end)
end)

describe('a name', function()
  it('is taken while the lease of another owner runs, and the answer says for how long', function()
    register('n1')
    local before = state()
    local answer = register('n1', { owner = 'other', address = 'b:1' })
    assert.equal('taken', answer.outcome)
    assert.equal('n1:8090', answer.address)
    assert.is_true(answer.retry_after_ms > 0 and answer.retry_after_ms <= 10000)
    assert.same(before, state())
  end)

  it('is free when the lease has run out', function()
    register('n1')
    clock.advance(9999)
    assert.equal('taken', register('n1', { owner = 'other' }).outcome)
    clock.advance(1)
    assert.equal('registered', register('n1', { owner = 'other' }).outcome)
  end)

  it('is its owner\'s at any time', function()
    local first = register('n1')
    local second = register('n1')
    assert.equal('registered', second.outcome)
    assert.is_true(second.incarnation > first.incarnation)
  end)

  it('is given to a taker who insists, and the older process learns of it', function()
    local first = register('n1')
    local second = register('n1', { owner = 'other', takeover = '1' })
    assert.equal('registered', second.outcome)
    assert.is_true(second.incarnation > first.incarnation)
    assert.equal('superseded', beat('n1', first.incarnation))
    assert.equal('ok', beat('n1', second.incarnation))
  end)
end)

describe('an incarnation', function()
  it('grows with every start, even when time goes back', function()
    local first = register('n1')
    clock.advance(-3600000)
    assert.equal(first.incarnation + 1, register('n1').incarnation)
  end)
end)

describe('a store', function()
  it('of another schema is refused', function()
    redis.call('HSET', key('meta'), 'schema', '2', 'shards', '1', 'store', 's1')
    local before = state()
    assert.same({ outcome = 'schema', schema = '2' }, register('n1'))
    assert.same(before, state())
  end)

  it('with another number of shards is refused', function()
    register('n1')
    local before = state()
    assert.same({ outcome = 'shards', shards = 1 }, register('n2', { shards = 8 }))
    assert.same(before, state())
  end)
end)
