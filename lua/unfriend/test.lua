-- A user ends a friendship: at once here, and the other side is told, however often it takes.

local UID, PEER = '1001', '1002'

before_each(function()
  redis.call('HSET', key('seat', UID), 'main:sid', sid(1), 'main:node', 'n1')
end)

local function unfriend(body, more)
  local arguments = { uid = UID, sid = sid(1), class = 'main', body = body or '{"fromuid":1001,"touid":1002}' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('unfriend', arguments)
end

local function bond(value)
  redis.call('HSET', key('friends', UID), PEER, value)
end

local function refused(code, reason, effects, names)
  assert.effects(names or 'reply', effects)
  assert.equal(1107, effects.reply.id)
  assert.equal(code, effects.reply.json.error)
  assert.equal(reason, effects.reply.json.reason)
end

it('a friend, or one who was approved, is none any more, and is told', function()
  for _, value in ipairs({ '{"uid":1002,"back":"","since":500}', '~{"uid":1002,"back":"","since":500}' }) do
    bond(value)
    local e = unfriend()
    assert.effects('call reply', e)
    assert.same({ error = 0, touid = 1002 }, e.reply.json)
    local since = string.match(read(key('friends', UID))[PEER], '^%-(1%d+)$')
    assert.is_not_nil(since, 'the number of a removal is its time')
    assert.equal('unfriended', e.call.script)
    assert.equal(PEER, e.call.uid)
    assert.same({ peer = UID, since = since }, e.call.args)
  end
end)

it('the number of a removal is not below that of the friendship', function()
  bond('{"uid":1002,"back":"","since":1900000000000}')
  assert.equal('1900000000000', unfriend().call.args.since)
end)

it('twice, or again because an answer was lost, is the same', function()
  bond('{"uid":1002,"back":"","since":500}')
  local first = unfriend()
  clock.tick()
  local again = unfriend()
  assert.same(first.call.args, again.call.args)
  assert.equal(0, again.reply.json.error)
end)

it('who is no friend is refused', function()
  refused(1102, 'no_friend', unfriend())
  assert.is_nil(read(key('friends', UID)))
  refused(1102, 'no_friend', unfriend('{"touid":1001}'))
  bond('!9')
  refused(1102, 'no_friend', unfriend())
end)

it('who is blocked and not yet told is told', function()
  bond('!-9')
  local e = unfriend()
  refused(1102, 'no_friend', e, 'call reply')
  assert.equal('9', e.call.args.since)
end)

it('a bad or missing field is refused', function()
  for _, body in ipairs({ '', 'x', '[]', '{}', '{"touid":"1002"}', '{"touid":0}' }) do
    refused(1001, 'field', unfriend(body))
  end
end)

it('a session that has no seat is verified first', function()
  assert.effects('verify', unfriend(nil, { sid = sid(9) }))
end)
