-- Somebody types, and friends see it: wherever they sit, and nobody else.

local ME, PEER = '1002', '1001'

local function sit(class, n, node)
  redis.call('HSET', key('seat', ME), class .. ':sid', sid(n), class .. ':node', node)
end

local function befriend(bond)
  redis.call('HSET', key('friends', ME), PEER, bond or '{"uid":1001,"since":1}')
end

-- 1001 types for 1002.
local function typing()
  return run('typing', { uid = ME, peer = PEER })
end

it('a friend is told, on every session', function()
  befriend()
  sit('main', 1, 'n1')
  sit('phone', 2, 'n2')
  assert.effects({}, typing())
  local told = published()
  assert.equal(2, #told)
  for n, message in ipairs(told) do
    assert.equal('os:node:n' .. n, message.channel)
    assert.effects({ { name = 'deliver', sid = sid(n), id = 1202, json = { error = 0, fromuid = 1001 } } }, message.effects)
  end
end)

it('a friend who is off line is not told, also not later', function()
  befriend()
  local before = state()
  assert.effects({}, typing())
  assert.same({}, published())
  assert.same(before, state())
end)

it('a session that has ended is not told', function()
  befriend()
  sit('main', 1, 'n1')
  redis.call('HSET', key('seat', ME), 'main:end', 'left')
  typing()
  assert.same({}, published())
end)

describe('who is no friend', function()
  before_each(function()
    sit('main', 1, 'n1')
  end)

  local function is_refused()
    assert.effects({ { name = 'reply', id = 1202, json = { error = 1102, reason = 'no_friend', touid = 1002 } } }, typing())
    assert.same({}, published())
  end

  it('is told so, and nobody else anything', is_refused)

  it('is whoever was removed, is blocked, or has yet to be confirmed', function()
    for _, bond in ipairs({ '-5', '!5', '!-5', '~{"uid":1001,"since":5}' }) do
      befriend(bond)
      is_refused()
    end
  end)
end)
