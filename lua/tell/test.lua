-- A friend is told, in each session, and says whether he is on line.

local UID, PEER = '2', '1001'

local function sit(class, n, node)
  redis.call('HSET', key('seat', UID), class .. ':sid', sid(n), class .. ':node', node or 'n1')
end

local function tell(reason, more)
  local arguments = { uid = UID, peer = PEER, reason = reason, body = '{"name":"Ann","icon":"a.png"}' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  local e = run('tell', arguments)
  assert.effects('reply', e)
  assert.equal(0, e.reply.id)
  return e.reply.json
end

-- Who was sent what, as `n1 <sid> 1003`.
local function told()
  local found = {}
  for _, message in ipairs(published()) do
    local frame = message.effects[1]
    assert.equal(1025, frame.id)
    found[#found + 1] = message.channel .. ' ' .. frame.sid .. ' ' .. frame.json.type
  end
  table.sort(found)
  return found
end

before_each(function()
  redis.call('HSET', key('friends', UID), PEER, '{"uid":1001}')
end)

describe('a friend on line', function()
  before_each(function()
    sit('main', 1)
  end)

  it('is told who came', function()
    tell('+')
    local frame = published()[1].effects[1]
    assert.equal(sid(1), frame.sid)
    assert.equal(1025, frame.id)
    assert.is_nil(frame.position)
    assert.same({ error = 0, uid = 1001, type = 1003, message = 'Ann is on line', status = 1, icon = 'a.png',
      time = frame.json.time }, frame.json)
    assert.is_true(frame.json.time >= 1700000000000)
  end)

  it('is told who went', function()
    tell('-')
    local frame = published()[1].effects[1]
    assert.same({ error = 0, uid = 1001, type = 1101, message = 'Ann is off line', status = 0, icon = 'a.png',
      time = frame.json.time }, frame.json)
  end)

  it('is told of somebody without a profile', function()
    tell('+', { body = '{}' })
    local frame = published()[1].effects[1]
    assert.equal('1001 is on line', frame.json.message)
    assert.equal('', frame.json.icon)
  end)

  it('is told in every session', function()
    sit('phone', 2, 'n2')
    tell('+')
    assert.same({ 'os:node:n1 ' .. sid(1) .. ' 1003', 'os:node:n2 ' .. sid(2) .. ' 1003' }, told())
  end)

  it('is told nothing by a mere question', function()
    tell('')
    assert.same({}, told())
  end)

  it('is told nothing past not_after', function()
    assert.is_true(tell('+', { not_after = clock.now() - 1 }).online)
    assert.same({}, told())
  end)

  it('is told in the very millisecond of not_after', function()
    clock.set(clock.now())
    tell('+', { not_after = clock.now() })
    assert.equal(1, #told())
  end)

  it('says so, with name and icon and the time that was given', function()
    redis.call('HSET', key('user', UID), 'name', 'Bob', 'icon', 'b.png', 'email', 'b@c')
    assert.same({ uid = '2', online = true, name = 'Bob', icon = 'b.png', claim = 1800000000000 },
      tell('+', { not_after = '1800000000000' }))
    redis.call('DEL', key('user', UID))
    assert.same({ uid = '2', online = true, claim = 1800000000000 }, tell('', { not_after = '1800000000000' }))
  end)
end)

describe('a friend off line', function()
  it('is told nothing, and says so', function()
    redis.call('HSET', key('user', UID), 'name', 'Bob')
    local answer = tell('+')
    assert.is_false(answer.online)
    assert.is_nil(answer.name)
    assert.same({}, told())
  end)

  it('says on line as long as friends are not told of the absence', function()
    redis.call('ZADD', key('presence'), 1, '-2')
    assert.is_true(tell('').online)
  end)
end)

describe('anybody else', function()
  before_each(function()
    sit('main', 1)
  end)

  it('is told nothing and says nothing', function()
    for _, value in ipairs({ '~{"uid":1001}', '-1700000000000', '!1700000000000' }) do
      redis.call('HSET', key('friends', UID), PEER, value)
      assert.is_false(tell('+').online)
    end
    redis.call('DEL', key('friends', UID))
    assert.is_false(tell('+').online)
    assert.same({}, told())
  end)

  it('who watches is told, and says nothing', function()
    redis.call('DEL', key('friends', UID))
    assert.is_false(tell('watch+').online)
    assert.is_false(tell('watch-').online)
    assert.same({ 'os:node:n1 ' .. sid(1) .. ' 1003', 'os:node:n1 ' .. sid(1) .. ' 1101' }, told())
  end)
end)

describe('who is told that a friend went', function()
  local function waiting()
    return table.concat(redis.call('ZRANGE', key('presence'), 0, -1), ' ')
  end

  before_each(function()
    clock.set(1700000000000)
    sit('main', 1)
  end)

  it('asks all friends anew, if it is gathering their answers', function()
    redis.call('ZADD', key('presence'), 1700000010000, '=2')
    tell('-')
    assert.equal('1700000000001', redis.call('ZSCORE', key('presence'), '=2'))
    redis.call('DEL', key('presence'))
    redis.call('ZADD', key('presence'), 1700000010000, '~2')
    tell('-')
    assert.equal('=2 ~2', waiting())
  end)

  it('asks nobody otherwise', function()
    tell('-')
    assert.equal('', waiting())
    redis.call('ZADD', key('presence'), 1700000010000, '~2')
    tell('+')
    redis.call('DEL', key('seat', UID))
    tell('-')
    assert.equal('~2', waiting())
  end)
end)
