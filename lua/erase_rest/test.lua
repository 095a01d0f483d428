-- The last step of an erasure.

local function erase_rest()
  local e = run('erase_rest', { uid = '1001' })
  assert.effects('reply', e)
  return e.reply.json
end

local WORDS = { 'ticket', 'user', 'applies', 'delivery', 'talks' }

before_each(function()
  for _, word in ipairs(WORDS) do
    redis.call('HSET', key(word, '1001'), 'x', '1')
  end
  redis.call('RPUSH', key('inbox', '1001'), 'x')
  redis.call('ZADD', key('seen', '1001'), 1, 'x')
end)

it('nothing is left but a mark, for an hour', function()
  for _ = 1, 2 do
    assert.same({ left = 0 }, erase_rest())
    assert.same({ [key('user', '1001')] = { ['|erasing'] = 'done' } }, state())
    local left = redis.call('PTTL', key('user', '1001'))
    assert.is_true(left > 0 and left <= 3600000)
  end
end)

it('the mark says that there is no such user', function()
  erase_rest()
  assert.equal(1011, run('find_user', { uid = '1001' }).reply.json.error)
  assert.is_false(run('profile', { uid = '1001' }).reply.json.known)
end)

it('a friendship that came in between is left, and all else with it', function()
  redis.call('HSET', key('friends', '1001'), '1002', '{"uid":1002,"since":5}')
  local before = state()
  assert.same({ left = 1 }, erase_rest())
  assert.same(before, state())
end)
