-- Who is dead, and who decides it.

local function register(node, more)
  local arguments = { node = node, owner = 'o', address = node .. ':1', capacity = 10, store = 's' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('register', arguments).reply.json
end

local function beat(node, me)
  return run('beat', { node = node, incarnation = me.incarnation, owner = 'o', count = 1 }).reply.json
end

local function mark()
  local e = run('mark')
  assert.effects('reply', e)
  return e.reply.json
end

-- Lets time pass while a node goes on beating.
local function pass(ms, node, me)
  while ms > 0 do
    clock.advance(math.min(ms, 2000))
    ms = ms - 2000
    assert.equal('ok', beat(node, me).outcome)
  end
end

describe('a node whose lease is out', function()
  local n1, n2
  before_each(function()
    n1, n2 = register('n1'), register('n2')
    beat('n2', n2)
    pass(9999, 'n1', n1)
  end)

  it('is marked once it is out, and not before', function()
    local answer = mark()
    assert.is_false(answer.calm, 'the first node came a lease ago')
    assert.equal(1, answer.retry_after_ms)
    pass(1, 'n1', n1)
    assert.equal(1, beat('n1', n1).overdue)
    answer = mark()
    assert.same({ now = clock.now(), marked = 1, calm = true, retry_after_ms = 0, nodes = {
      { name = 'n1', incarnation = n1.incarnation, dead = false },
      { name = 'n2', incarnation = n2.incarnation, dead = true },
    } }, answer)
  end)

  it('loses lease and numbers, and is told to register anew (rule 7)', function()
    pass(1, 'n1', n1)
    mark()
    assert.equal(clock.now(), json(read(key('nodes')).n2).dead)
    assert.is_nil(redis.call('ZSCORE', key('leases'), 'n2') or nil)
    assert.is_nil(read(key('stats')).n2)
    assert.equal(0, beat('n1', n1).overdue)
    assert.equal('register', beat('n2', n2).outcome)
    local anew = register('n2', { incarnation = n2.incarnation })
    assert.is_true(anew.incarnation > n2.incarnation)
    assert.equal('ok', beat('n2', anew).outcome)
    assert.same({ name = 'n2', incarnation = anew.incarnation, dead = false }, mark().nodes[2])
  end)

  it('is marked once (G12)', function()
    pass(1, 'n1', n1)
    mark()
    local before = state()
    pass(0, 'n1', n1)
    assert.is_true(mark().nodes[2].dead)
    assert.same(before, state())
  end)

  it('is forgotten an hour later', function()
    pass(1, 'n1', n1)
    mark()
    pass(3600000, 'n1', n1)
    assert.equal(2, #mark().nodes)
    pass(1, 'n1', n1)
    assert.equal(1, #mark().nodes)
    assert.is_nil(read(key('nodes')).n2)
  end)
end)

describe('an outage', function()
  it('of all that was longer than a lease lets nobody be marked until one lease after', function()
    local n1, n2 = register('n1'), register('n2')
    pass(10000, 'n1', n1)
    beat('n2', n2)
    clock.advance(60000)
    local answer = mark()
    assert.is_false(answer.calm, 'nobody is back')
    assert.equal(10000, answer.retry_after_ms)
    beat('n1', n1)
    answer = mark()
    assert.is_false(answer.calm)
    assert.equal(10000, answer.retry_after_ms)
    assert.is_false(answer.nodes[2].dead)
    pass(9999, 'n1', n1)
    assert.is_false(mark().calm)
    pass(1, 'n1', n1)
    assert.is_true(mark().nodes[2].dead)
    assert.equal('register', beat('n2', n2).outcome)
  end)

  it('is over for a node that comes back within the lease', function()
    local n1, n2 = register('n1'), register('n2')
    clock.advance(60000)
    beat('n1', n1)
    pass(9000, 'n1', n1)
    assert.equal('ok', beat('n2', n2).outcome)
    pass(1000, 'n1', n1)
    assert.is_true(mark().calm)
    assert.is_false(mark().nodes[2].dead)
  end)

  it('that lost the directory lets nobody be marked until one lease after', function()
    local n1 = register('n1')
    pass(20000, 'n1', n1)
    redis.call('DEL', key('nodes'), key('leases'))
    assert.same({ calm = false, retry_after_ms = 1000, nodes = {} },
      { calm = mark().calm, retry_after_ms = mark().retry_after_ms, nodes = mark().nodes })
    n1 = register('n1', { incarnation = n1.incarnation })
    assert.is_false(mark().calm)
    pass(10000, 'n1', n1)
    assert.is_true(mark().calm)
  end)

  it('is measured by the shortest lease', function()
    local n1 = register('n1')
    register('n2', { lease_ms = 3000 })
    pass(10000, 'n1', n1)
    clock.advance(3001)
    assert.same({ false, 3000 }, { mark().calm, mark().retry_after_ms })
    beat('n1', n1)
    assert.is_true(mark().nodes[2].dead)
  end)
end)

describe('time', function()
  it('that goes back marks nobody, and keeps nobody from being marked', function()
    local n1, n2 = register('n1'), register('n2')
    pass(10000, 'n1', n1)
    beat('n2', n2)
    clock.advance(-3600000)
    assert.is_false(mark().nodes[2].dead)
    pass(10000, 'n1', n1)
    assert.is_false(mark().nodes[2].dead)
    pass(2000, 'n1', n1)
    assert.is_true(mark().nodes[2].dead)
  end)

  it('that goes ahead counts as an outage', function()
    local n1, n2 = register('n1'), register('n2')
    pass(10000, 'n1', n1)
    beat('n2', n2)
    clock.advance(3600000)
    beat('n1', n1)
    assert.is_false(mark().nodes[2].dead)
    assert.equal('ok', beat('n2', n2).outcome)
  end)
end)

describe('what does not fit together', function()
  local n1
  before_each(function()
    n1 = register('n1')
    pass(10000, 'n1', n1)
  end)

  it('a record without a lease is that of a dead node', function()
    local n2 = register('n2')
    redis.call('ZREM', key('leases'), 'n2')
    assert.same({ name = 'n2', incarnation = n2.incarnation, dead = true }, mark().nodes[2])
  end)

  it('a lease without a record may be that of a live one while it runs, then it goes', function()
    redis.call('ZADD', key('leases'), clock.now() + 3000, 'n2')
    assert.same({ name = 'n2', incarnation = 0, dead = false }, mark().nodes[2])
    pass(4000, 'n1', n1)
    assert.equal(1, #mark().nodes)
    assert.is_nil(redis.call('ZSCORE', key('leases'), 'n2') or nil)
  end)

  it('a record that cannot be read is kept while its lease runs, and spoils nobody else\'s', function()
    register('n0')
    redis.call('HSET', key('nodes'), 'n0', 'garbage', 'n2', '{"address":7}')
    assert.same({ { name = 'n0', incarnation = 0, dead = false }, { name = 'n1', incarnation = n1.incarnation, dead = false } },
      mark().nodes)
    assert.is_nil(read(key('nodes')).n2)
    pass(10000, 'n1', n1)
    assert.equal(1, #mark().nodes)
    assert.is_nil(read(key('nodes')).n0)
  end)

  it('a record that is marked in a way that nobody knows is forgotten', function()
    redis.call('HSET', key('nodes'), 'n2', '{"address":"a:1","incarnation":5,"dead":true}')
    assert.equal(1, #mark().nodes)
  end)
end)

it('a node that left is as dead as one that died', function()
  local n1 = register('n1')
  run('leave', { node = 'n1', incarnation = n1.incarnation })
  assert.same({ { name = 'n1', incarnation = n1.incarnation, dead = true } }, mark().nodes)
end)

it('the one call that marks a node is told so', function()
  register('n1')
  local n2 = register('n2')
  pass(10001, 'n2', n2)
  assert.equal(1, mark().marked)
  assert.equal(0, mark().marked)
end)

-- The leases of the others end up to a beat before that of the last who was heard of.
it('nobody is marked after an outage that was a little shorter than a lease', function()
  local n1, n2 = register('n1'), register('n2')
  pass(20000, 'n2', n2)
  n1 = register('n1')
  clock.advance(1900)
  beat('n2', n2)
  clock.advance(8500)
  assert.equal('ok', beat('n2', n2).outcome)
  local answer = mark()
  assert.is_false(answer.calm)
  assert.equal(0, answer.marked)
  assert.equal('ok', beat('n1', n1).outcome)
end)
