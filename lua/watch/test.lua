-- Somebody who is no friend is told of a user's presence.

local function watch(peer, reason, friends_max)
  local e = run('watch', { uid = '1001', peer = peer, reason = reason, friends_max = friends_max })
  assert.effects('reply', e)
  return e.reply.json
end

it('who watches has a field of a friend, which is no friend', function()
  assert.same({ outcome = 'watching' }, watch('1002', 'add'))
  assert.same({ outcome = 'watching' }, watch('1002', 'add'))
  assert.same({ ['|watch|1002'] = '1' }, read(key('friends', '1001')))
end)

it('watching ends, also where there was none', function()
  watch('1002', 'add')
  assert.same({ outcome = 'not' }, watch('1002', 'remove'))
  assert.same({ outcome = 'not' }, watch('1002', 'remove'))
  assert.same({}, state())
end)

it('as many watch a user as may be friends, who do not count', function()
  redis.call('HSET', key('friends', '1001'), '1009', '{"since":5}')
  watch('1002', 'add', 2)
  watch('1003', 'add', 2)
  assert.same({ error = 'watchers' }, watch('1004', 'add', 2))
  assert.same({ outcome = 'watching' }, watch('1003', 'add', 2))
end)
