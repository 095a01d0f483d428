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
    assert.equal(string.format('%.0f', answer.deadline), redis.call('ZSCORE', key('leases'), 'n1'))
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

describe('a record', { since = 2 }, function()
  it('has what the node says of itself, and when it was heard of', function()
    local answer = register('n1', { weight = 50, zone = 'east' })
    local record = json(read(key('nodes')).n1)
    assert.same({ 50, 'east', 10000, answer.now }, { record.weight, record.zone, record.lease_ms, record.at })
    assert.same({ draining = false, over_ms = 0 }, { draining = answer.draining, over_ms = answer.over_ms })
  end)

  it('of a node that gives no weight has the usual one', function()
    register('n1')
    assert.equal(100, json(read(key('nodes')).n1).weight)
  end)

  it('keeps what newer versions may have noted', function()
    register('n1')
    redis.call('HSET', key('nodes'), 'n1', (string.gsub(read(key('nodes')).n1, '^{', '{"later":7,')))
    register('n1')
    assert.equal(7, json(read(key('nodes')).n1).later)
  end)

  it('that cannot be read is as none', function()
    for _, garbage in ipairs({ 'garbage', '7', '{}', '{"address":"a:1","incarnation":"x"}' }) do
      redis.call('HSET', key('nodes'), 'n1', garbage)
      assert.equal('registered', register('n1').outcome, garbage)
      assert.equal('n1:8090', json(read(key('nodes')).n1).address)
    end
  end)
end)

describe('a node that is drained', { since = 2 }, function()
  local first
  before_each(function()
    first = register('n1')
    run('beat', { node = 'n1', owner = 'o-n1', incarnation = first.incarnation, count = 7, revision = 3, trouble = 'x' })
    run('drain', { node = 'n1', draining = '1', over_ms = 30000 })
  end)

  it('goes on being drained when it registers anew, and keeps its count', function()
    local answer = register('n1', { incarnation = first.incarnation })
    assert.is_true(answer.draining)
    assert.equal(30000, answer.over_ms)
    assert.equal(7, json(read(key('nodes')).n1).count)
  end)

  it('takes newcomers again when it starts, and what it said before is forgotten', function()
    local answer = register('n1', { incarnation = 0 })
    assert.is_false(answer.draining)
    assert.equal(0, answer.over_ms)
    local record = json(read(key('nodes')).n1)
    assert.same({ count = 0, over_ms = 0 }, { count = record.count, over_ms = record.over_ms, revision = record.revision,
      trouble = record.trouble })
  end)

  it('leaves nothing of that to another who takes its name', function()
    assert.is_false(register('n1', { owner = 'other', takeover = '1', incarnation = first.incarnation }).draining)
  end)
end)

describe('an incarnation', { since = 2 }, function()
  it('is above the one that the process had, although the directory was lost and time went back', function()
    local first = register('n1')
    redis.call('FLUSHDB')
    clock.advance(-3600000)
    assert.equal(first.incarnation + 1, register('n1', { incarnation = first.incarnation }).incarnation)
  end)

  it('is given once, also when the node has left and time went back', function()
    local first = register('n1')
    run('leave', { node = 'n1', incarnation = first.incarnation })
    clock.advance(-3600000)
    assert.equal(first.incarnation + 1, register('n1').incarnation)
  end)
end)

describe('a name', { since = 2 }, function()
  it('of a node that was marked dead is free, and whoever takes it is not dead', function()
    local first = register('n1')
    redis.call('HSET', key('nodes'), 'n1', (string.gsub(read(key('nodes')).n1, '^{', '{"dead":1,"left":true,')))
    assert.equal('registered', register('n1', { owner = 'other' }).outcome)
    local record = json(read(key('nodes')).n1)
    assert.is_nil(record.dead)
    assert.is_nil(record.left)
    assert.is_true(record.incarnation > first.incarnation)
  end)

  it('is taken for no longer than a lease, although time went back', function()
    register('n1')
    clock.advance(-3600000)
    assert.equal(10000, register('n1', { owner = 'other' }).retry_after_ms)
  end)
end)
