-- The other side has ended it: gone here too, told once, and not made again by what comes late.

local UID, PEER = '1002', '1001'
local FRIEND = '{"uid":1001,"name":"ann","icon":"a.png","back":"","since":500}'

-- All that is kept, but not when a friendship's end was noted last: noted again, only that changes.
local function kept()
  local found = state()
  for _, fields in pairs(found) do
    if type(fields) == 'table' and fields['|ended'] then
      fields['|ended'] = string.gsub(fields['|ended'], '#([^|]+)|(%d+)|%d+', '#%1|%2')
    end
  end
  return found
end

before_each(function()
  redis.call('HSET', key('seat', UID), 'main:sid', sid(2), 'main:node', 'n2')
  redis.call('HSET', key('user', UID), 'name', 'bob')
end)

local function unfriended(since, reason)
  local e = run('unfriended', { uid = UID, peer = PEER, since = since, reason = reason })
  assert.effects('call', e)
  assert.equal('settle', e.call.script)
  assert.equal(PEER, e.call.uid)
  assert.same({ peer = UID, since = tostring(since), reason = 'apart' }, e.call.args)
end

local function bond(value)
  redis.call('HSET', key('friends', UID), PEER, value)
end

local function stands()
  return (read(key('friends', UID)) or {})[PEER]
end

it('a friend is gone, the sessions are told, and the number is ended', function()
  bond(FRIEND)
  unfriended(600)
  assert.is_nil(stands())
  assert.matches('^#1001|600|%d+$', read(key('friends', UID))['|ended'])
  local effects = published()[1].effects
  assert.effects({ { name = 'deliver', sid = sid(2), id = 1025, json = {
    error = 0, uid = 1001, type = 1002, status = 0, icon = 'a.png', message = 'ann is no longer your friend',
  } } }, effects)
  assert.is_not_nil(effects[1].json.time)
  assert.is_nil(read(key('inbox', UID)))
end)

it('a user who is off line finds a notice', function()
  redis.call('HSET', key('seat', UID), 'main:end', 'left')
  bond('{"uid":1001,"name":7,"back":"","since":500}')
  unfriended(500)
  local notice = json(string.match(read(key('inbox', UID))[1], '^%d+|n|1001|%d+|%d+|(.*)$'))
  notice.time = nil
  assert.same({ uid = 1001, type = 1002, message = '1001 is no longer your friend' }, notice)
  assert.same({}, published())
end)

it('twice is told once', function()
  bond(FRIEND)
  unfriended(500)
  published()
  local before = kept()
  unfriended(500)
  assert.same({}, published())
  assert.is_nil(stands())
  assert.same(before, kept())
end)

it('a friendship with a higher number stays', function()
  for _, value in ipairs({ FRIEND, '~' .. FRIEND }) do
    bond(value)
    unfriended(499)
    assert.equal(value, stands())
    assert.same({}, published())
  end
end)

it('an approval is undone, and told unless it is its refusal', function()
  bond('~' .. FRIEND)
  unfriended(500, 'refused')
  assert.is_nil(stands())
  assert.same({}, published())
  bond('~' .. FRIEND)
  unfriended(500)
  assert.equal(1, #published())
  bond(FRIEND)
  unfriended(500, 'refused')
  assert.equal(1, #published(), 'who is a friend already is told')
end)

it('who was no friend is told nothing, and what else stands stays', function()
  unfriended(500)
  for _, value in ipairs({ '-400', '!9', '!-400' }) do
    bond(value)
    unfriended(500)
    assert.equal(value, stands())
  end
  assert.same({}, published())
end)

it('nothing is kept of a user who is unknown', function()
  redis.call('FLUSHDB')
  unfriended(500)
  assert.same({}, state())
end)

it('of a user who is being erased a friend goes, and nothing new is kept', function()
  redis.call('HSET', key('user', UID), '|erasing', '1')
  bond(FRIEND)
  unfriended(500)
  assert.is_nil(read(key('friends', UID)))
  assert.same({}, published())
end)
