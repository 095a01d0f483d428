-- A user is erased: friends are told, page by page, before the rest goes.

local function erase(cursor, page_max)
  return run('erase', { uid = '1001', cursor = cursor, page_max = page_max })
end

local function friend(uid, value)
  redis.call('HSET', key('friends', '1001'), uid, value)
end

it('a user without friends is closed at once', function()
  redis.call('HSET', key('user', '1001'), 'nick', 'A')
  local e = erase()
  assert.effects('reply', e)
  assert.same({ cursor = '', left = 0 }, e.reply.json)
  assert.is_true(run('profile', { uid = '1001' }).reply.json.erasing)
end)

it('the name becomes free', function()
  local at = run('claim_name', { uid = 'ada', who = '1001' }).reply.json.at
  run('put_profile', { uid = '1001', since = at, body = '{"name":"ada"}' })
  local e = erase()
  assert.effects({ { name = 'call', script = 'release_name', uid = 'ada', args = { peer = '1001' } }, { name = 'reply' } }, e)
  follow(e.call)
  assert.is_nil(read(key('name', 'ada')))
end)

it('each friendship ends here, and is to end on the other side', function()
  friend('1002', '{"uid":1002,"back":"x","since":1700000000001}')
  friend('1003', '~{"uid":1003,"since":1700000000002}')
  friend('1004', '-1700000000003')
  friend('1005', '!-1700000000004')
  friend('1006', '!1700000000005')
  friend('|watch|1007', '1')
  local e = erase()
  assert.effects('call call call call reply', e)
  for i = 1, 4 do
    local since = '170000000000' .. i
    assert.equal('unfriended', e[i].script)
    assert.equal('100' .. i + 1, e[i].uid)
    assert.same({ peer = '1001', since = since }, e[i].args)
    assert.equal('-' .. since, redis.call('HGET', key('friends', '1001'), e[i].uid))
  end
  assert.equal(4, redis.call('HLEN', key('friends', '1001')))
  assert.same({ cursor = '', left = 4 }, e.reply.json)
end)

it('pages follow each other', function()
  for n = 2, 4 do
    friend('100' .. n, '{"since":5}')
  end
  local first = erase('', 2)
  assert.effects('call call reply', first)
  assert.same({ cursor = '1003', left = 2 }, first.reply.json)
  local second = erase('1003', 2)
  assert.effects('call reply', second)
  assert.equal('1004', second.call.uid)
  assert.same({ cursor = '', left = 1 }, second.reply.json)
end)

it('an erasure that is asked for again begins again', function()
  erase()
  run('erase_rest', { uid = '1001' })
  erase()
  assert.is_true(run('profile', { uid = '1001' }).reply.json.erasing)
  assert.equal(-1, redis.call('PTTL', key('user', '1001')))
end)

it('what was noted about friendships that are over goes', function()
  redis.call('HSET', key('friends', '1001'), '|ended', '#1002|5|6')
  assert.same({ cursor = '', left = 0 }, erase().reply.json)
  assert.is_nil(read(key('friends', '1001')))
end)

it('a friend who was not told is named again', function()
  friend('1002', '{"since":5}')
  local first = erase().call
  assert.same(first, erase().call)
end)

it('whoever is seated has to be taken off line first', function()
  run('ticket', { uid = '1001', class = 'main', token_digest = 'aa' })
  run('ticket', { uid = '1001', class = 'phone', token_digest = 'bb' })
  run('login', { uid = '1001', sid = sid(1), token_digest = 'aa', address = 'a:1' })
  run('login', { uid = '1001', sid = sid(2), token_digest = 'bb', address = 'a:2' })
  local before = state()
  assert.same({ error = 'held' }, erase().reply.json)
  assert.same(before, state())
end)

it('the seat keeps out who was there, without addresses, and the trail goes', function()
  run('ticket', { uid = '1001', class = 'main', token_digest = 'aa' })
  local bind = run('login', { uid = '1001', sid = sid(1), token_digest = 'aa', address = 'a:1' }).bind
  run('kick', { uid = '1001' })
  erase()
  assert.equal(0, run('erase_rest', { uid = '1001' }).reply.json.left)
  for name, value in pairs(state()) do
    assert.is_true(name == key('seat', '1001') or name == key('user', '1001'), name)
    for field, content in pairs(value) do
      assert.not_equal('a:1', content, field)
    end
  end
  local e = run('verify', { uid = '1001', sid = sid(1), class = 'main', token_digest = 'aa', number = bind.number,
    epoch = bind.epoch, address = 'a:1' })
  assert.equal('closed', e.reply.json.outcome)
  assert.is_true(redis.call('PTTL', key('seat', '1001')) > 0)
end)
