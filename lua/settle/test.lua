-- What the other side has done is taken note of, once; what the user did meanwhile stands.

local UID, PEER = '1002', '1001'

local function settle(since, reason, body)
  return run('settle', { uid = UID, peer = PEER, since = since, reason = reason, body = body })
end

local function bond(value)
  redis.call('HSET', key('friends', UID), PEER, value)
end

local function stands()
  return (read(key('friends', UID)) or {})[PEER]
end

describe('friends', function()
  local HALF = '~{"uid":1001,"name":"Ann","icon":"a.png","back":"x","theirs":{"name":"bob"},"since":500}'

  it('confirms an approval, with the profile that comes', function()
    bond(HALF)
    assert.effects('', settle(500, 'friends', '{"name":"ann","sex":1}'))
    assert.same({ uid = 1001, name = 'ann', sex = 1, back = 'x', since = 500 }, json(stands()))
  end)

  it('keeps the profile that is known where none comes', function()
    for _, body in ipairs({ '', 'x', '[]', '{}', '{"name":7}' }) do
      bond(HALF)
      settle(500, 'friends', body)
      assert.same({ uid = 1001, name = 'Ann', icon = 'a.png', back = 'x', since = 500 }, json(stands()))
    end
  end)

  it('takes a higher number over', function()
    bond(HALF)
    settle(600, 'friends', '{}')
    assert.equal(600, json(stands()).since)
    settle(700, 'friends', '{}')
    assert.equal(700, json(stands()).since)
  end)

  it('twice, or of an older number, changes nothing', function()
    bond(HALF)
    assert.effects('', settle(499, 'friends', '{"name":"ann"}'))
    assert.equal(HALF, stands())
    settle(500, 'friends', '{"name":"ann"}')
    local before = state()
    assert.effects('', settle(500, 'friends', '{"name":"other"}'))
    assert.effects('', settle(400, 'friends', '{"name":"other"}'))
    assert.same(before, state())
  end)

  it('is not so where the user has ended it meanwhile, which is told again', function()
    for value, number in pairs({ ['-600'] = '600', ['!-600'] = '600', ['-400'] = '500', ['!9'] = '500' }) do
      bond(value)
      local e = settle(500, 'friends', '{}')
      assert.effects('call', e)
      assert.equal('unfriended', e.call.script)
      assert.equal(PEER, e.call.uid)
      assert.same({ peer = UID, since = number }, e.call.args)
      assert.equal(value, stands())
    end
    redis.call('FLUSHDB')
    assert.same({ peer = UID, since = '500' }, settle(500, 'friends', '{}').call.args)
    assert.same({}, state())
  end)
end)

describe('apart', function()
  it('ends a removal, and keeps its number', function()
    bond('-500')
    assert.effects('', settle(500, 'apart'))
    assert.is_nil(stands())
    assert.matches('^#1001|500|%d+$', read(key('friends', UID))['|ended'])
  end)

  it('leaves a block where there is one', function()
    bond('!-500')
    settle(600, 'apart')
    assert.matches('^!1%d+$', stands())
    assert.matches('^#1001|600|%d+$', read(key('friends', UID))['|ended'])
  end)

  it('of an older number, twice, or where nothing was removed, changes nothing', function()
    for _, value in ipairs({ '-600', '!-600', '!9',
      '{"uid":1001,"back":"","since":400}', '~{"uid":1001,"back":"","since":400}' }) do
      bond(value)
      local before = state()
      assert.effects('', settle(500, 'apart'))
      assert.same(before, state())
    end
    redis.call('FLUSHDB')
    settle(500, 'apart')
    assert.same({}, state())
  end)
end)
