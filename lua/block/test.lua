-- Blocking somebody and taking it back: a friendship ends, an application goes, the other learns no more than that.

local UID, PEER = '1001', '1002'

before_each(function()
  redis.call('HSET', key('seat', UID), 'main:sid', sid(1), 'main:node', 'n1')
end)

local function block(body, more)
  local arguments = { uid = UID, sid = sid(1), class = 'main', body = body or '{"fromuid":1001,"touid":1002}' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('block', arguments)
end

local function unblock()
  return block('{"touid":1002,"blocked":false}')
end

local function bond(value)
  redis.call('HSET', key('friends', UID), PEER, value)
end

local function stands()
  return (read(key('friends', UID)) or {})[PEER]
end

local function refused(code, reason, effects)
  assert.effects('reply', effects)
  assert.equal(1109, effects.reply.id)
  assert.equal(code, effects.reply.json.error)
  assert.equal(reason, effects.reply.json.reason)
end

local function told(since, effects)
  assert.effects('call reply', effects)
  assert.equal('unfriended', effects.call.script)
  assert.equal(PEER, effects.call.uid)
  assert.same({ peer = UID, since = since }, effects.call.args)
  assert.equal(0, effects.reply.json.error)
end

describe('a block', function()
  it('of a stranger stands, with its time', function()
    local e = block()
    assert.effects({ { name = 'reply', id = 1109, json = { error = 0, touid = 1002, blocked = true } } }, e)
    assert.matches('^!1%d+$', stands())
  end)

  it('takes an open application away', function()
    redis.call('HSET', key('applies', UID), PEER, '{}', '1003', '{}')
    block()
    assert.same({ ['1003'] = '{}' }, read(key('applies', UID)))
  end)

  it('ends a friendship, or an approval, and has it told', function()
    for _, value in ipairs({ '{"uid":1002,"back":"","since":500}', '~{"uid":1002,"back":"","since":500}' }) do
      bond(value)
      local e = block()
      local since = string.match(stands(), '^!%-(1%d+)$')
      told(since, e)
    end
    bond('{"uid":1002,"back":"","since":1900000000000}')
    told('1900000000000', block())
  end)

  it('of one who was removed keeps what has yet to be told', function()
    bond('-500')
    told('500', block())
    assert.equal('!-500', stands())
  end)

  it('twice, or again because an answer was lost, is the same', function()
    bond('{"uid":1002,"back":"","since":500}')
    local first = block()
    clock.tick()
    told(first.call.args.since, block())
    bond('!9')
    assert.effects('reply', block())
    assert.equal('!9', stands())
  end)

  it('is refused where as many are blocked as allowed', function()
    redis.call('HSET', key('friends', UID), '1', '!5', '2', '!-5', '3', '{"uid":3,"since":1}')
    refused(1106, 'blocked', block(nil, { friends_max = 2 }))
    assert.is_nil(stands())
    assert.equal(0, block(nil, { friends_max = 3 }).reply.json.error)
    assert.equal(0, block(nil, { friends_max = 2 }).reply.json.error, 'who is blocked already stays so')
  end)

  it('of oneself is refused', function()
    refused(1102, 'self', block('{"touid":1001}'))
  end)
end)

describe('taking it back', function()
  it('leaves a stranger', function()
    bond('!9')
    local e = unblock()
    assert.effects('reply', e)
    assert.is_false(e.reply.json.blocked)
    assert.is_nil(stands())
  end)

  it('keeps what has yet to be told', function()
    bond('!-500')
    told('500', unblock())
    assert.equal('-500', stands())
  end)

  it('changes nothing where nobody is blocked', function()
    assert.effects('reply', unblock())
    assert.is_nil(read(key('friends', UID)))
    bond('{"uid":1002,"back":"","since":500}')
    assert.effects('reply', unblock())
    assert.equal('{"uid":1002,"back":"","since":500}', stands())
  end)
end)

it('a bad or missing field is refused', function()
  for _, body in ipairs({ '', 'x', '[]', '{}', '{"touid":"1002"}', '{"touid":1002,"blocked":1}',
    '{"touid":1002,"blocked":null}' }) do
    refused(1001, 'field', block(body))
  end
end)

it('a session that has no seat is verified first', function()
  assert.effects('verify', block(nil, { sid = sid(9) }))
end)
