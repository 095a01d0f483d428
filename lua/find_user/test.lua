-- What a search tells of a user.

local function find(uid, note)
  local e = run('find_user', { uid = uid, note = note })
  assert.effects('reply', e)
  assert.equal(1008, e.reply.id)
  return e.reply.json
end

it('a user without a profile is told with empty texts, as old clients expect', function()
  run('ticket', { uid = '1002', class = 'main', token_digest = 'aa' })
  assert.same({ error = 0, uid = 1002, name = '', nick = '', icon = '', desc = '', sex = 0 }, find('1002'))
end)

it('only what is public is told (defect 46)', function()
  redis.call('HSET', key('user', '1002'), 'pwd', 'secret', 'email', 'a@b', 'nick', 'A "quoted"', 'sex', '2')
  assert.same({ error = 0, uid = 1002, name = '', nick = 'A "quoted"', icon = '', desc = '', sex = 2 }, find('1002'))
end)

it('a sex that is no number is told as none', function()
  redis.call('HSET', key('user', '1002'), 'sex', 'f')
  assert.equal(0, find('1002').sex)
end)

it('nobody is told of who is not known, or is being erased', function()
  assert.same({ error = 1011 }, find('1002'))
  redis.call('HSET', key('user', '1002'), 'name', 'ada', '|erasing', '1')
  assert.same({ error = 1011 }, find('1002'))
end)

it('a name that is claimed, but not in the profile, finds nobody', function()
  redis.call('HSET', key('user', '1002'), 'name', 'ada')
  assert.equal(0, find('1002', 'ada').error)
  assert.same({ error = 1011 }, find('1002', 'eve'))
end)
