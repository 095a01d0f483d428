-- Who may ask whom to become friends, and what goes to the other's shard.

local UID, OTHER = '1001', '1002'

before_each(function()
  redis.call('HSET', key('seat', UID), 'main:sid', sid(1), 'main:node', 'n1')
  redis.call('HSET', key('user', UID), 'name', 'ann', 'nick', 'A', 'icon', 'a.png', 'sex', '1', 'email', 'a@b')
end)

local function apply(body, more)
  local arguments = { uid = UID, sid = sid(1), class = 'main',
    body = body or '{"touid":1002,"applyname":"Ann","bakname":"B"}' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('apply', arguments)
end

local function bond(value)
  redis.call('HSET', key('friends', UID), OTHER, value)
end

local function refused(code, reason, effects, names)
  assert.effects(names or 'reply', effects)
  assert.equal(1010, effects.reply.id)
  assert.equal(code, effects.reply.json.error)
  assert.equal(reason, effects.reply.json.reason)
end

describe('an application', function()
  it('goes to the other with what others may see, the name to show, and the remark', function()
    local e = apply()
    assert.effects('call', e)
    assert.equal('applied', e.call.script)
    assert.equal(OTHER, e.call.uid)
    assert.equal(UID, e.call.args.peer)
    assert.matches('^%d+$', e.call.args.not_after)
    local request = json(e.call.args.body)
    assert.matches('^1%d+$', string.format('%.0f', request.at))
    request.at = nil
    assert.same({ name = 'ann', nick = 'A', icon = 'a.png', sex = 1, applyname = 'Ann', bakname = 'B' }, request)
  end)

  it('comes from the user of the session, whatever uid the body has (defect 14)', function()
    assert.equal(UID, apply('{"uid":1003,"touid":1002,"applyname":"x"}').call.args.peer)
  end)

  it('needs no remark, no name to show and no profile', function()
    redis.call('DEL', key('user', UID))
    local request = json(apply('{"touid":1002,"applyname":"","bakname":null}').call.args.body)
    assert.equal('', request.applyname)
    assert.equal('', request.bakname)
  end)

  it('is refused to a session that has no seat, which is verified first', function()
    assert.effects('verify', apply(nil, { sid = sid(2) }))
    redis.call('HSET', key('seat', UID), 'main:end', 'reaped')
    assert.effects('verify', apply())
    assert.is_nil(read(key('applies', UID)))
  end)

  it('with a bad or missing field is refused', function()
    local long = string.rep('x', 257)
    for _, body in ipairs({ '', 'x', '[]', '7', 'null', '{}', '{"touid":1002}', '{"applyname":"x"}',
      '{"touid":"1002","applyname":"x"}',
      '{"touid":1.5,"applyname":"x"}', '{"touid":-1,"applyname":"x"}', '{"touid":1002,"applyname":7}',
      '{"touid":1002,"applyname":{}}', '{"touid":1002,"applyname":"' .. long .. '"}',
      '{"touid":1002,"applyname":"x","bakname":[]}', '{"touid":1002,"applyname":"x","bakname":"' .. long .. '"}' }) do
      refused(1001, 'field', apply(body))
    end
    assert.is_nil(read(key('applies', UID)))
  end)

  it('to oneself is refused', function()
    local e = apply('{"touid":1001,"applyname":"x"}')
    refused(1102, 'self', e)
    assert.equal(1001, e.reply.json.touid)
  end)

  it('to a friend is refused', function()
    bond('{"uid":1002,"back":"","since":5}')
    refused(1102, 'already_friends', apply())
  end)

  it('to one who was approved already finishes that', function()
    bond('~{"uid":1002,"back":"","theirs":{"name":"ann","back":"A"},"since":5}')
    local e = apply()
    refused(1102, 'already_friends', e, 'call reply')
    assert.equal('befriend', e.call.script)
    assert.equal(OTHER, e.call.uid)
    assert.equal(UID, e.call.args.peer)
    assert.equal('5', e.call.args.since)
    assert.equal('', e.call.args.reason)
    assert.same({ theirs = { name = 'ann', back = 'A' } }, json(e.call.args.body))
  end)

  it('to one who was removed and does not know yet has that told first, and is to be made again', function()
    bond('-7')
    local e = apply()
    refused(1101, 'half', e, 'call reply')
    assert.equal(1000, e.reply.json.retry_after_ms)
    assert.equal('unfriended', e.call.script)
    assert.equal(OTHER, e.call.uid)
    assert.same({ peer = UID, since = '7' }, e.call.args)
  end)

  it('to one whom the user blocks is refused', function()
    bond('!9')
    refused(1102, 'blocked', apply())
    bond('!-9')
    refused(1102, 'blocked', apply(), 'call reply')
  end)

  it('to one who has applied is refused as crossing: the user may approve', function()
    redis.call('HSET', key('applies', UID), OTHER, '{"uid":1002,"at":1}')
    refused(1102, 'crossing', apply())
  end)

  it('is refused to a user who has as many friends as allowed; who is blocked does not count', function()
    redis.call('HSET', key('friends', UID), '1', '{"uid":1,"since":1}', '2', '~{"uid":2,"since":2}', '3', '!4',
      '|watch|5', '1')
    refused(1106, 'friends', apply(nil, { friends_max = 2 }))
    assert.effects('call', apply(nil, { friends_max = 3 }))
  end)

  it('survives what does not belong into a bond', function()
    for _, text in ipairs({ '{', '{"since":{}}', 'x' }) do
      bond(text)
      apply()
    end
  end)
end)

describe('applications of one day', function()
  it('are counted, and refused beyond a number', function()
    for n = 1, 3 do
      assert.effects('call', apply('{"touid":' .. 1001 + n .. ',"applyname":"x"}', { applies_per_day = 3 }))
    end
    refused(1106, 'applications', apply('{"touid":1009,"applyname":"x"}', { applies_per_day = 3 }))
    assert.matches('^%d+|3$', read(key('applies', UID))['|day'])
  end)

  it('are counted anew the next day', function()
    apply(nil, { applies_per_day = 1 })
    refused(1106, 'applications', apply(nil, { applies_per_day = 1 }))
    clock.advance(86400000)
    assert.effects('call', apply(nil, { applies_per_day = 1 }))
    assert.matches('^%d+|1$', read(key('applies', UID))['|day'])
  end)

  it('do not count where they are refused here', function()
    apply('{"touid":1001,"applyname":"x"}')
    assert.is_nil(read(key('applies', UID)))
  end)
end)
