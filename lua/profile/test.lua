-- What the backend is told of a profile: everything.

local function profile(uid)
  local e = run('profile', { uid = uid })
  assert.effects('reply', e)
  return e.reply.json
end

it('an unknown user has none', function()
  assert.same({ uid = '1001', known = false, erasing = false, profile = {} }, profile('1001'))
end)

it('a user with a ticket is known', function()
  run('ticket', { uid = '1001', class = 'main', token_digest = 'aa' })
  assert.same({ uid = '1001', known = true, erasing = false, profile = {} }, profile('1001'))
end)

it('private fields are told, our own are not, the sex is a number', function()
  redis.call('HSET', key('user', '1001'), 'name', 'ada', 'email', 'a@b', 'sex', '1', '|claim', '5')
  assert.same({ uid = '1001', known = true, erasing = false, profile = { name = 'ada', email = 'a@b', sex = 1 } },
    profile('1001'))
  redis.call('HSET', key('user', '1001'), 'sex', 'f')
  assert.equal('f', profile('1001').profile.sex)
end)

it('an erasure that has begun is told', function()
  redis.call('HSET', key('user', '1001'), '|erasing', '5')
  assert.same({ uid = '1001', known = false, erasing = true, profile = {} }, profile('1001'))
end)

it('an erasure that is done leaves nobody', function()
  run('erase_rest', { uid = '1001' })
  assert.same({ uid = '1001', known = false, erasing = false, profile = {} }, profile('1001'))
end)
