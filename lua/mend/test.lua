-- The halves of a user, each with the call that finishes it.

local UID = '1001'

local function mend(more)
  local arguments = { uid = UID }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('mend', arguments)
end

before_each(function()
  redis.call('HSET', key('friends', UID), '1', '{"uid":1,"back":"","since":1}',
    '2', '~{"uid":2,"theirs":{"name":"ann"},"since":2}',
    '3', '-3', '4', '!4', '5', '!-5', '|watch|6', '1', '|ended', '#7|8|9')
end)

it('each half has its call, and nothing else has', function()
  local e = mend()
  assert.effects('call call call reply', e)
  assert.equal('befriend 2', e[1].script .. ' ' .. e[1].uid)
  assert.same({ theirs = { name = 'ann' } }, json(e[1].args.body))
  assert.equal(UID .. ' 2 ', e[1].args.peer .. ' ' .. e[1].args.since .. ' ' .. e[1].args.reason)
  assert.matches('^%d+$', e[1].args.not_after)
  assert.equal('unfriended 3', e[2].script .. ' ' .. e[2].uid)
  assert.same({ peer = UID, since = '3' }, e[2].args)
  assert.equal('unfriended 5', e[3].script .. ' ' .. e[3].uid)
  assert.same({ peer = UID, since = '5' }, e[3].args)
  assert.equal(0, e.reply.id)
  assert.same({ cursor = '' }, e.reply.json)
end)

it('pages go on where the one before ended', function()
  local first = mend({ page_max = 2 })
  assert.effects('call call reply', first)
  assert.equal('3', first.reply.json.cursor)
  local last = mend({ page_max = 2, cursor = '3' })
  assert.effects('call reply', last)
  assert.equal('5', last[1].uid)
  assert.equal('', last.reply.json.cursor)
  assert.equal('', mend({ page_max = 3 }).reply.json.cursor, 'a page that is just full is the last')
end)

it('a user without halves has none, and one without friends neither', function()
  redis.call('HDEL', key('friends', UID), '2', '3', '5')
  assert.effects('reply', mend())
  redis.call('FLUSHDB')
  assert.effects('reply', mend())
end)
