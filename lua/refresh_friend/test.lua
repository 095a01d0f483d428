-- Friends keep a copy of a profile; it follows.

local function refresh(body)
  local e = run('refresh_friend', { uid = '1002', peer = '9007199254740991', body = body })
  assert.effects('reply', e)
  return e.reply.json.outcome
end

local function copy_is(text)
  redis.call('HSET', key('friends', '1002'), '9007199254740991', text)
end

local function copy()
  return redis.call('HGET', key('friends', '1002'), '9007199254740991')
end

it('the copy is replaced, remark and number of the friendship stay', function()
  copy_is('{"uid":9007199254740991,"name":"ada","desc":"old","back":"my friend","since":1700000000000}')
  assert.equal('fresh', refresh('{"name":"eve","nick":"E","sex":1}'))
  assert.same({ uid = 9007199254740991, name = 'eve', nick = 'E', sex = 1, back = 'my friend', since = 1700000000000 },
    json(copy()))
  assert.matches('^{"uid":9007199254740991,', copy())
  assert.matches('"since":1700000000000}$', copy())
end)

it('a friendship that is not settled yet stays so', function()
  copy_is('~{"uid":9007199254740991,"theirs":{"nick":"me"},"back":"","since":1700000000000}')
  assert.equal('fresh', refresh('{"nick":"E"}'))
  assert.equal('~', string.sub(copy(), 1, 1))
  assert.same({ uid = 9007199254740991, nick = 'E', theirs = { nick = 'me' }, back = '', since = 1700000000000 }, json(string.sub(copy(), 2)))
end)

it('a profile may become empty', function()
  copy_is('{"uid":9007199254740991,"name":"ada","since":1700000000000}')
  assert.equal('fresh', refresh('{}'))
  assert.equal('{"uid":9007199254740991,"back":"","since":1700000000000}', copy())
end)

it('where the two are no friends nothing is written', function()
  assert.equal('none', refresh('{"nick":"E"}'))
  assert.same({}, state())
  for _, other in ipairs({ '-5', '!7', '!-5' }) do
    copy_is(other)
    assert.equal('none', refresh('{"nick":"E"}'))
    assert.equal(other, copy())
  end
end)
