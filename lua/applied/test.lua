-- An application arrives: whose it is, whether it stands, and who is told.

local UID, PEER = '1002', '1001'
local REQUEST = '{"name":"ann","nick":"A","icon":"a.png","sex":1,"applyname":"Ann \\"x\\"","bakname":"B","at":1700000000000}'

before_each(function()
  redis.call('HSET', key('seat', UID), 'main:sid', sid(2), 'main:node', 'n2', 'phone:sid', sid(3), 'phone:node', 'n3',
    'pad:sid', sid(4), 'pad:node', 'n4', 'pad:end', 'left')
  redis.call('HSET', key('user', UID), 'name', 'bob', 'icon', 'b.png')
end)

local function applied(body, more)
  local arguments = { uid = UID, peer = PEER, body = body or REQUEST }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('applied', arguments)
end

local function bond(value)
  redis.call('HSET', key('friends', UID), PEER, value)
end

local function refused(code, reason, effects, names)
  assert.effects(names or 'reply', effects)
  assert.equal(1010, effects.reply.id)
  assert.equal(code, effects.reply.json.error)
  assert.equal(reason, effects.reply.json.reason)
  assert.is_nil(read(key('applies', UID)))
  assert.same({}, published())
end

describe('an application', function()
  it('stands, and each session is told of it', function()
    local e = applied()
    assert.effects({ { name = 'reply', id = 1010, json = { error = 0, touid = 1002 } } }, e)
    assert.same({
      uid = 1001, name = 'Ann "x"', nick = 'A', icon = 'a.png', desc = '', sex = 1, status = 0, back = 'B',
      at = 1700000000000,
    }, json(read(key('applies', UID))[PEER]))
    local messages = published()
    assert.equal('os:node:n2 os:node:n3', messages[1].channel .. ' ' .. messages[2].channel)
    assert.equal(2, #messages)
    assert.effects({ { name = 'deliver', sid = sid(2), id = 1011, json = {
      error = 0, applyuid = 1001, name = 'Ann "x"', nick = 'A', icon = 'a.png', desc = '', sex = 1,
    } } }, messages[1].effects)
  end)

  it('shows the name of the profile where it has none of its own', function()
    applied('{"name":"ann","applyname":"","at":1}')
    assert.equal('ann', json(read(key('applies', UID))[PEER]).name)
  end)

  it('waits for a user who is off line', function()
    redis.call('HSET', key('seat', UID), 'main:end', 'left', 'phone:end', 'left')
    assert.equal(0, applied().reply.json.error)
    assert.same({}, published())
    assert.is_not_nil(read(key('applies', UID))[PEER])
  end)

  it('that comes twice because an answer was lost is answered as before, and told once', function()
    applied()
    published()
    local before = state()
    assert.equal(0, applied().reply.json.error)
    assert.same(before, state())
    assert.same({}, published())
  end)

  it('that is made again is refused as repeated, and the first one stays', function()
    applied()
    published()
    local before = state()
    local e = applied('{"name":"ann","at":1700000000001}')
    assert.equal(1102, e.reply.json.error)
    assert.equal('repeated', e.reply.json.reason)
    assert.same(before, state())
    assert.same({}, published())
  end)

  it('without anything that belongs into it is one without a name', function()
    for _, body in ipairs({ 'x', '[]', '7', '{"name":{},"sex":"x","applyname":7,"bakname":[],"at":"x"}' }) do
      redis.call('DEL', key('applies', UID))
      assert.equal(0, applied(body).reply.json.error)
      assert.same({ uid = 1001, name = '', nick = '', icon = '', desc = '', sex = 0, status = 0, back = '', at = 0 },
        json(read(key('applies', UID))[PEER]))
    end
  end)
end)

describe('a refusal', function()
  it('is 1011 for a user who is unknown', function()
    redis.call('FLUSHDB')
    refused(1011, 'unknown', applied())
  end)

  it('is 1011 for a user who is being erased', function()
    redis.call('HSET', key('user', UID), '|erasing', '1')
    refused(1011, 'unknown', applied())
  end)

  it('is not for one of whom only a ticket, or only friends are known', function()
    for _, word in ipairs({ 'ticket', 'friends' }) do
      redis.call('FLUSHDB')
      redis.call('HSET', key(word, UID), 'x', 'y')
      assert.equal(0, applied().reply.json.error)
    end
  end)

  it('is blocked where the applicant is', function()
    bond('!9')
    refused(1102, 'blocked', applied())
  end)

  it('is already_friends for a friend, who is made one there too, in case that was lost', function()
    bond('{"uid":1001,"name":"ann","back":"x","since":5}')
    local e = applied()
    refused(1102, 'already_friends', e, 'call reply')
    assert.equal('befriend', e.call.script)
    assert.equal(PEER, e.call.uid)
    assert.equal(UID, e.call.args.peer)
    assert.equal('5', e.call.args.since)
    assert.equal('', e.call.args.reason)
    assert.same({ theirs = { name = 'bob', icon = 'b.png' } }, json(e.call.args.body))
  end)

  it('is already_friends for one who was approved, and the half is finished', function()
    bond('~{"uid":1001,"back":"x","theirs":{"name":"bob","back":"y"},"since":5}')
    local e = applied()
    refused(1102, 'already_friends', e, 'call reply')
    assert.same({ theirs = { name = 'bob', back = 'y' } }, json(e.call.args.body))
  end)

  it('is applications where as many are open as allowed', function()
    redis.call('HSET', key('applies', UID), '|day', '1|5', '7', '{}')
    assert.equal(0, applied(nil, { applies_max = 2 }).reply.json.error)
    local e = applied(nil, { peer = '1009', applies_max = 2 })
    assert.equal(1106, e.reply.json.error)
    assert.equal('applications', e.reply.json.reason)
    assert.is_nil(read(key('applies', UID))['1009'])
    assert.equal(0, applied(nil, { applies_max = 2 }).reply.json.error, 'one that stands is not refused for that')
  end)
end)

it('an application of one who was removed stands, and that is told as well', function()
  bond('-5')
  local e = applied()
  assert.effects('call reply', e)
  assert.equal('unfriended', e.call.script)
  assert.same({ peer = UID, since = '5' }, e.call.args)
  assert.equal(0, e.reply.json.error)
end)
