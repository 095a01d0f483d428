-- Approving and declining: only what is open, once, and the half that stands until the other side has confirmed.

local UID, PEER = '1002', '1001'
local APPLICATION = '{"uid":1001,"name":"Ann","nick":"A","icon":"a.png","desc":"","sex":1,"status":0,"back":"my bob","at":5}'

before_each(function()
  redis.call('HSET', key('seat', UID), 'main:sid', sid(2), 'main:node', 'n2')
  redis.call('HSET', key('user', UID), 'name', 'bob', 'icon', 'b.png', 'pwd', 'secret')
end)

local function approve(body, more)
  local arguments = { uid = UID, sid = sid(2), class = 'main',
    body = body or '{"fromuid":1002,"touid":1001,"back":"my ann"}' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('approve', arguments)
end

local function given_application()
  redis.call('HSET', key('applies', UID), PEER, APPLICATION)
end

local function bond(value)
  redis.call('HSET', key('friends', UID), PEER, value)
end

local function half()
  return json(string.match(read(key('friends', UID))[PEER], '^~({.*)$'))
end

local function refused(code, reason, effects, names)
  assert.effects(names or 'reply', effects)
  assert.equal(1014, effects.reply.id)
  assert.equal(code, effects.reply.json.error)
  assert.equal(reason, effects.reply.json.reason)
end

describe('an application that is approved', function()
  before_each(given_application)

  it('goes, is a half here, and a call there, which answers the client', function()
    local e = approve()
    assert.effects('call', e)
    assert.is_nil(read(key('applies', UID)))
    local since = half().since
    assert.matches('^1%d+$', string.format('%.0f', since))
    assert.same({
      uid = 1001, name = 'Ann', nick = 'A', icon = 'a.png', desc = '', sex = 1, back = 'my ann', since = since,
      theirs = { name = 'bob', icon = 'b.png', back = 'my bob' },
    }, half())
    assert.equal('befriend', e.call.script)
    assert.equal(PEER, e.call.uid)
    assert.equal(UID, e.call.args.peer)
    assert.equal(string.format('%.0f', since), e.call.args.since)
    assert.equal('approve', e.call.args.reason)
    assert.same({ theirs = half().theirs }, json(e.call.args.body))
    assert.matches('^%d+$', e.call.args.not_after)
  end)

  it('needs no remark', function()
    approve('{"touid":1001,"accept":true}')
    assert.equal('', half().back)
  end)

  it('twice, or again because an answer was lost, is the same friendship', function()
    local first = approve()
    local before = state()
    clock.tick()
    local again = approve()
    assert.same(first.call.args.since, again.call.args.since)
    assert.same(json(first.call.args.body), json(again.call.args.body))
    assert.equal('approve', again.call.args.reason)
    assert.same(before, state())
  end)

  it('gets a number above that of any friendship of these two before', function()
    bond('-1900000000000')
    approve()
    assert.equal(1900000000001, half().since)
    bond('-5')
    given_application()
    redis.call('HSET', key('friends', UID), '|ended', '#7|9|9#1001|1900000000007|5')
    approve()
    assert.equal(1900000000008, half().since)
  end)

  it('is refused where the user has as many friends as allowed, and stays open', function()
    redis.call('HSET', key('friends', UID), '1', '{"uid":1,"since":1}')
    refused(1106, 'friends', approve(nil, { friends_max = 1 }))
    assert.equal(APPLICATION, read(key('applies', UID))[PEER])
  end)

  it('is refused where the applicant is blocked', function()
    bond('!5')
    refused(1102, 'blocked', approve())
  end)
end)

describe('defect 15: friends are not made without an application', function()
  it('whoever approves', function()
    local before = state()
    refused(1102, 'no_application', approve())
    assert.same(before, state())
  end)

  it('nor with that of another one', function()
    redis.call('HSET', key('applies', UID), '1003', APPLICATION)
    refused(1102, 'no_application', approve())
    assert.is_nil(read(key('friends', UID)))
  end)

  it('nor by its applicant, in whoever’s name that one approves', function()
    redis.call('HSET', key('applies', UID), PEER, APPLICATION)
    redis.call('HSET', key('seat', PEER), 'main:sid', sid(1), 'main:node', 'n1')
    refused(1102, 'no_application', approve('{"fromuid":1002,"touid":1001}', { uid = PEER, sid = sid(1) }))
    assert.is_nil(read(key('friends', UID)))
  end)

  it('nor with oneself', function()
    refused(1102, 'no_application', approve('{"touid":1002}'))
  end)

  it('nor twice with one application, after a removal', function()
    bond('-5')
    local e = approve()
    refused(1102, 'no_application', e, 'call reply')
    assert.equal('unfriended', e.call.script)
  end)
end)

describe('an application that is declined', function()
  it('goes, and nothing else happens', function()
    given_application()
    local e = approve('{"touid":1001,"accept":false}')
    assert.effects({ { name = 'reply', id = 1014, json = { error = 0, uid = 1001, accepted = false } } }, e)
    assert.is_nil(read(key('applies', UID)))
    assert.is_nil(read(key('friends', UID)))
  end)

  it('twice is answered the same', function()
    assert.equal(false, approve('{"touid":1001,"accept":false}').reply.json.accepted)
  end)

  it('too late is refused', function()
    bond('{"uid":1001,"back":"","since":5}')
    refused(1102, 'already_friends', approve('{"touid":1001,"accept":false}'))
  end)
end)

it('an approval that is repeated when all is done asks the other side once more', function()
  bond('{"uid":1001,"back":"x","since":5}')
  local e = approve()
  assert.effects('call', e)
  assert.equal('5', e.call.args.since)
  assert.same({ theirs = { name = 'bob', icon = 'b.png' } }, json(e.call.args.body))
end)

it('a bad or missing field is refused', function()
  given_application()
  for _, body in ipairs({ '', 'x', '[]', '{}', '{"touid":"1001"}', '{"touid":1001,"back":7}', '{"touid":1001,"accept":1}',
    '{"touid":1001,"accept":null}', '{"touid":1001,"back":"' .. string.rep('x', 257) .. '"}' }) do
    refused(1001, 'field', approve(body))
  end
end)

it('a session that has no seat is verified first', function()
  given_application()
  assert.effects('verify', approve(nil, { sid = sid(9) }))
end)
