-- The backend's view of what a user has agreed with others.

local function page(cursor, page_max)
  local e = run('friends_of', { uid = '1001', cursor = cursor, page_max = page_max })
  assert.effects('reply', e)
  return e.reply.json
end

it('a user without friends has an empty page', function()
  assert.same({ friends = {}, blocked = {}, watchers = {}, cursor = '' }, page())
end)

it('friends, blocked users and watchers are told apart; friendships that ended are not told', function()
  redis.call('HSET', key('friends', '1001'), '1002', '{"uid":1002,"since":5}', '1003', '~{"uid":1003,"since":6}',
    '1004', '-5', '1005', '!7', '1006', '!-5', '|watch|x:9', '1')
  assert.same({ friends = { '1002', '1003' }, blocked = { '1005', '1006' }, watchers = { 'x:9' }, cursor = '' }, page())
end)

it('pages follow each other, and tell everybody once', function()
  for uid = 1, 5 do
    redis.call('HSET', key('friends', '1001'), 'u' .. uid, '{"since":5}')
  end
  local first = page('', 2)
  assert.same({ 'u1', 'u2' }, first.friends)
  local second = page(first.cursor, 2)
  assert.same({ 'u3', 'u4' }, second.friends)
  local third = page(second.cursor, 2)
  assert.same({ 'u5' }, third.friends)
  assert.equal('', third.cursor)
  assert.equal('', page('', 5).cursor)
end)
