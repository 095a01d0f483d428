-- The applicant's side of a friendship: made once, refused for good, whatever comes late or twice.

local UID, PEER = '1001', '1002'
local BODY = '{"theirs":{"name":"bob","nick":"B","icon":"b.png","desc":"","sex":1,"back":"my bob"}}'
local OURS = '{"uid":1002,"name":"bob","back":"my bob","since":%d}'

before_each(function()
  redis.call('HSET', key('seat', UID), 'main:sid', sid(1), 'main:node', 'n1')
  redis.call('HSET', key('user', UID), 'name', 'ann', 'nick', 'A')
end)

local function befriend(since, more)
  local arguments = { uid = UID, peer = PEER, since = since, body = BODY, reason = 'approve' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('befriend', arguments)
end

local function bond(value)
  redis.call('HSET', key('friends', UID), PEER, value)
end

local function friend()
  return json(read(key('friends', UID))[PEER])
end

local function settled(since, effects)
  assert.equal('settle', effects[1].script)
  assert.equal(PEER, effects[1].uid)
  assert.same({ peer = UID, since = tostring(since), reason = 'friends', body = effects[1].args.body }, effects[1].args)
  assert.same({ name = 'ann', nick = 'A' }, json(effects[1].args.body))
end

local function refused(code, reason, since, effects)
  assert.effects('call reply', effects)
  assert.equal('unfriended', effects.call.script)
  assert.equal(PEER, effects.call.uid)
  assert.same({ peer = UID, since = tostring(since), reason = 'refused' }, effects.call.args)
  assert.equal(1014, effects.reply.id)
  assert.equal(code, effects.reply.json.error)
  assert.equal(reason, effects.reply.json.reason)
  assert.same({}, published())
end

describe('a friendship', function()
  it('is made, told to the sessions, confirmed to the other side and answered to its client', function()
    redis.call('HSET', key('applies', UID), PEER, '{}')
    local e = befriend(500)
    assert.effects('call reply', e)
    settled(500, e)
    assert.equal(1014, e.reply.id)
    assert.same({ error = 0, uid = 1001, name = 'ann', nick = 'A', icon = '', desc = '', sex = 0 }, e.reply.json)
    assert.same({ uid = 1002, name = 'bob', nick = 'B', icon = 'b.png', desc = '', sex = 1, back = 'my bob', since = 500 },
      friend())
    assert.is_nil(read(key('applies', UID)), 'an application that crossed')
    local messages = published()
    assert.equal(1, #messages)
    assert.equal('os:node:n1', messages[1].channel)
    assert.effects({ { name = 'deliver', sid = sid(1), id = 1015, json = {
      error = 0, fromuid = 1002, touid = 1001, name = 'bob', nick = 'B', icon = 'b.png', desc = '', sex = 1,
    } } }, messages[1].effects)
    assert.is_nil(read(key('inbox', UID)))
  end)

  it('is not answered to a client where none asked', function()
    local e = befriend(500, { reason = '' })
    assert.effects('call', e)
    settled(500, e)
  end)

  it('made twice is the same, and told once', function()
    local first = befriend(500)
    published()
    local before = state()
    local again = befriend(500)
    assert.same(first.reply.json, again.reply.json)
    settled(500, again)
    settled(500, befriend(499))
    assert.same(before, state())
    assert.same({}, published())
  end)

  it('takes a higher number over, keeps the remark, and is no news', function()
    bond(string.format(OURS, 500))
    settled(600, befriend(600, { body = '{"theirs":{"name":"Bob","back":"other"}}' }))
    assert.same({ uid = 1002, name = 'Bob', back = 'my bob', since = 600 }, friend())
    assert.same({}, published())
  end)

  it('waits as a notice for a user who is off line', function()
    redis.call('HSET', key('seat', UID), 'main:end', 'left')
    befriend(500)
    local entry = read(key('inbox', UID))[1]
    local id, from, at, till, notice = string.match(entry, '^(%d+)|n|(%d+)|(%d+)|(%d+)|(.*)$')
    assert.equal(PEER, from)
    assert.equal(id, at)
    assert.equal(2592000000, till - at)
    assert.same({ uid = 1002, type = 1001, message = 'bob is your friend now', time = tonumber(at) }, json(notice))
    assert.same({ last = id, bytes = tostring(#entry) }, read(key('delivery', UID)))
    befriend(500)
    assert.equal(1, redis.call('LLEN', key('inbox', UID)), 'once')
  end)

  it('without a profile has the uid for a name', function()
    redis.call('DEL', key('user', UID))
    redis.call('HSET', key('seat', UID), 'main:end', 'left')
    for _, body in ipairs({ '', 'x', '[]', '{"theirs":7}', '{"theirs":{"name":7,"sex":"x","back":{}}}' }) do
      redis.call('DEL', key('friends', UID), key('inbox', UID))
      befriend(500, { body = body })
      assert.same({ uid = 1002, back = '', since = 500 }, friend())
      assert.matches('"1002 is your friend now"', read(key('inbox', UID))[1])
    end
  end)
end)

describe('a notice', function()
  before_each(function()
    redis.call('HSET', key('seat', UID), 'main:end', 'left')
  end)

  it('comes after what waits, and counts', function()
    redis.call('RPUSH', key('inbox', UID), '5|t|9|1|2|{}')
    redis.call('HSET', key('delivery', UID), 'last', '1999999999999', 'bytes', '12')
    redis.call('PEXPIRE', key('delivery', UID), 1000)
    befriend(500)
    local entry = read(key('inbox', UID))[2]
    assert.matches('^2000000000000|n|1002|', entry)
    assert.equal(tostring(12 + #entry), read(key('delivery', UID)).bytes)
    assert.equal(-1, redis.call('PTTL', key('delivery', UID)))
  end)

  it('pushes the oldest notice out of a full inbox', function()
    for n = 1, 150 do
      redis.call('RPUSH', key('inbox', UID), n .. (n == 120 and '|n|' or '|t|') .. '9|1|2|{}')
    end
    redis.call('RPUSH', key('inbox', UID), '151|n|9|1|2|{}')
    redis.call('HSET', key('delivery', UID), 'last', '151', 'bytes', '2000')
    befriend(500, { inbox_max = 151 })
    local entries = read(key('inbox', UID))
    assert.equal(151, #entries)
    assert.matches('^121|t|', entries[120])
    assert.matches('^%d+|n|1002|', entries[151])
    assert.equal(tostring(2000 - #'120|n|9|1|2|{}' + #entries[151]), read(key('delivery', UID)).bytes)
  end)

  it('is left out where only texts wait in a full inbox', function()
    redis.call('RPUSH', key('inbox', UID), '1|t|9|1|2|{}')
    befriend(500, { inbox_max = 1 })
    assert.same({ '1|t|9|1|2|{}' }, read(key('inbox', UID)))
    assert.equal(500, friend().since)
  end)

  it('names a user whose id is no number', function()
    befriend(500, { peer = 'a"b' })
    assert.matches('|n|a"b|', read(key('inbox', UID))[1])
  end)
end)

describe('two approvals that cross', function()
  local function approved(since)
    bond(string.format('~{"uid":1002,"name":"bob","back":"my bob","theirs":{"name":"ann","back":"A"},"since":%d}', since))
  end

  it('are one friendship with the number that comes, where that is the higher one', function()
    approved(500)
    settled(600, befriend(600))
    assert.equal(600, friend().since)
    assert.equal('my bob', friend().back)
    assert.is_nil(friend().theirs)
    assert.equal(1015, published()[1].effects[1].id)
  end)

  it('are one friendship where both numbers are the same', function()
    approved(500)
    settled(500, befriend(500))
    assert.equal(500, friend().since)
  end)

  it('stay a half here where the number here is higher, until the other side has it', function()
    approved(700)
    local before = state()
    local e = befriend(600)
    assert.effects('call reply', e)
    assert.equal('befriend', e.call.script)
    assert.equal(PEER, e.call.uid)
    assert.equal('700', e.call.args.since)
    assert.equal('', e.call.args.reason)
    assert.same({ theirs = { name = 'ann', back = 'A' } }, json(e.call.args.body))
    assert.equal(0, e.reply.json.error)
    assert.same(before, state())
  end)

  it('keep the profile that is known where none comes', function()
    approved(500)
    befriend(500, { body = '' })
    assert.equal('bob', friend().name)
  end)
end)

describe('a refusal', function()
  it('is 1011 for a user who is unknown, of whom nothing is kept', function()
    redis.call('FLUSHDB')
    refused(1011, 'unknown', 500, befriend(500))
    assert.same({}, state())
  end)

  it('is 1011 for a user who is being erased', function()
    redis.call('HSET', key('user', UID), '|erasing', '1')
    refused(1011, 'unknown', 500, befriend(500))
    assert.is_nil(read(key('friends', UID)))
  end)

  it('is blocked, also after that was taken back', function()
    bond('!9')
    refused(1102, 'blocked', 500, befriend(500))
    redis.call('HDEL', key('friends', UID), PEER)
    refused(1102, 'no_application', 500, befriend(500))
    assert.equal(0, befriend(501).reply.json.error)
  end)

  it('is friends where there are as many as allowed, also when a call comes late', function()
    redis.call('HSET', key('friends', UID), '1', '{"uid":1,"since":1}')
    refused(1106, 'friends', 500, befriend(500, { friends_max = 1 }))
    refused(1106, 'friends', 500, befriend(500, { friends_max = 1 }))
    refused(1102, 'no_application', 500, befriend(500))
  end)

  it('is for a number up to which the user has ended it, whether or not that was told', function()
    bond('-600')
    refused(1102, 'no_application', 600, befriend(500))
    assert.equal('-600', read(key('friends', UID))[PEER])
    assert.equal(0, befriend(601).reply.json.error)
    assert.equal(601, friend().since)
  end)

  it('is 1101 past its time, and nothing is written or called', function()
    local before = state()
    local e = befriend(500, { not_after = clock.now() - 1 })
    assert.effects('reply', e)
    assert.equal(1101, e.reply.json.error)
    assert.equal(1000, e.reply.json.retry_after_ms)
    assert.effects('', befriend(500, { not_after = clock.now() - 1, reason = '' }))
    assert.same(before, state())
  end)

  it('is kept quiet where no client asked', function()
    bond('!9')
    assert.effects('call', befriend(500, { reason = '' }))
  end)
end)

it('what was ended is kept for an hour, of the last 64', function()
  for n = 1, 70 do
    bond('!9')
    redis.call('HSET', key('friends', UID), tostring(2000 + n), '!9')
    befriend(500, { peer = tostring(2000 + n) })
  end
  local text = read(key('friends', UID))['|ended']
  assert.is_nil(string.find(text, '#2006|', 1, true))
  assert.is_not_nil(string.find(text, '#2007|500|', 1, true))
  befriend(400, { peer = '2070' })
  assert.matches('#2070|500|%d+$', read(key('friends', UID))['|ended'])
  clock.advance(3600000)
  befriend(500)
  assert.matches('^#1002|500|%d+$', read(key('friends', UID))['|ended'])
end)
