-- Friends are told page by page what is true when the page is read; what changes meanwhile is told from the start.

local UID = '1001'

local function claim(member, ms)
  redis.call('ZADD', key('presence'), string.format('%.0f', clock.now() + (ms or 10000)), member)
  return string.format('%.0f||', clock.now() + (ms or 10000) - 1000)
end

local function sit()
  redis.call('HSET', key('seat', UID), 'main:sid', sid(1), 'main:node', 'n1')
end

local function befriend(uid, value)
  redis.call('HSET', key('friends', UID), uid, value or '{"uid":' .. uid .. '}')
end

local function tell_friends(cursor, more)
  local arguments = { uid = UID, reason = '~', cursor = cursor }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('tell_friends', arguments)
end

-- Who is told what, as `2+`.
local function told(effects)
  local found = {}
  for _, effect in ipairs(effects) do
    if effect.name == 'call' then
      assert.equal('tell', effect.script)
      assert.equal(UID, effect.args.peer)
      found[#found + 1] = effect.uid .. effect.args.reason
    end
  end
  return table.concat(found, ' ')
end

local function waiting()
  return table.concat(redis.call('ZRANGE', key('presence'), 0, -1), ' ')
end

before_each(function()
  clock.set(1700000000000)
end)

describe('a user on line', function()
  before_each(sit)

  it('is told of to friends, who are asked at the same time', function()
    befriend('2')
    redis.call('HSET', key('user', UID), 'name', 'Ann "A"', 'icon', 'a.png', 'email', 'a@b')
    local e = tell_friends(claim('~1001'))
    assert.equal('2+', told(e))
    assert.same({ name = 'Ann "A"', icon = 'a.png' }, json(e.call.args.body))
    assert.equal('1700000009000', e.call.args.not_after)
    assert.same({ cursor = '1700000009000|+|2', gather = 'roll_call' }, e.reply.json)
  end)

  it('is told of without a profile too', function()
    befriend('2')
    assert.same({}, json(tell_friends(claim('~1001')).call.args.body))
  end)

  it('is told of to friends only, and to watchers', function()
    befriend('2', '~{"uid":2}')
    befriend('3', '-1700000000000')
    befriend('4', '!1700000000000')
    befriend('5', '!-1700000000000')
    befriend('6')
    befriend('|watch|7', '1')
    befriend('|watch|6', '1')
    befriend('|other', '{}')
    assert.equal('6+ 7watch+', told(tell_friends(claim('~1001'))))
  end)

  it('is told of page by page, and goes from the presence once a page finds nobody', function()
    for n = 2, 6 do
      befriend(tostring(n))
    end
    local cursor, pages = claim('~1001'), {}
    repeat
      local e = tell_friends(cursor, { page_max = 2 })
      pages[#pages + 1] = told(e)
      assert.equal(e.reply.json.cursor == '' and '' or '~1001', waiting())
      cursor = e.reply.json.cursor
    until cursor == ''
    assert.same({ '2+ 3+', '4+ 5+', '6+', '' }, pages)
  end)

  it('has no friends: nothing is told, once', function()
    local e = tell_friends(claim('~1001'))
    assert.effects('reply', e)
    assert.same({ cursor = '' }, e.reply.json)
    assert.equal('', waiting())
  end)
end)

describe('a user off line', function()
  it('is told of, and nobody is asked', function()
    befriend('2')
    local e = tell_friends(claim('~1001'))
    assert.equal('2-', told(e))
    assert.same({ cursor = '1700000009000|-|2' }, e.reply.json)
  end)

  it('counts as on line as long as friends are not to be told', function()
    befriend('2')
    redis.call('ZADD', key('presence'), clock.now() + 20000, '-1001')
    assert.equal('2+', told(tell_friends(claim('~1001'))))
  end)
end)

describe('what changes while friends are told', function()
  it('is told from the first friend on', function()
    for n = 2, 4 do
      befriend(tostring(n))
    end
    local cursor = tell_friends(claim('~1001'), { page_max = 2 }).reply.json.cursor
    sit()
    local e = tell_friends(cursor, { page_max = 2 })
    assert.equal('2+ 3+', told(e))
    redis.call('DEL', key('seat', UID))
    e = tell_friends(tell_friends(e.reply.json.cursor, { page_max = 2 }).reply.json.cursor, { page_max = 2 })
    assert.equal('4-', told(e))
  end)

  it('is noticed also after the last friend', function()
    befriend('2')
    local cursor = tell_friends(claim('~1001')).reply.json.cursor
    sit()
    assert.equal('2+', told(tell_friends(cursor)))
    assert.equal('~1001', waiting())
  end)
end)

describe('a question', function()
  it('tells nothing, and asks friends only', function()
    sit()
    befriend('2')
    befriend('|watch|3', '1')
    local e = tell_friends(claim('=1001'), { reason = '=' })
    assert.effects('call reply', e)
    assert.equal('2', told(e))
    assert.same({ cursor = '1700000009000|||watch|3', gather = 'roll_call' }, e.reply.json)
    assert.same({ cursor = '' }, tell_friends(e.reply.json.cursor, { reason = '=' }).reply.json)
    assert.equal('', waiting())
  end)

  it('of a user who has gone is dropped', function()
    befriend('2')
    assert.effects('reply', tell_friends(claim('=1001'), { reason = '=' }))
    assert.equal('', waiting())
  end)
end)

describe('a claim', function()
  before_each(function()
    sit()
    befriend('2')
  end)

  local function refused(cursor)
    local before = state()
    local e = tell_friends(cursor)
    assert.effects('reply', e)
    assert.same({ cursor = '' }, e.reply.json)
    assert.same(before, state())
  end

  it('is renewed with every page', function()
    local cursor = claim('~1001')
    clock.advance(3000)
    assert.equal('1700000012000|+|2', tell_friends(cursor).reply.json.cursor)
    refused(cursor)
  end)

  it('that is over is refused, a second early', function()
    local cursor = claim('~1001')
    clock.advance(8000)
    local copy = store.copy()
    assert.equal('2+', told(tell_friends(cursor)))
    store.fall_back(copy)
    clock.advance(1)
    refused(cursor)
  end)

  it('that another has now is refused', function()
    local cursor = claim('~1001')
    claim('~1001', 10001)
    refused(cursor)
  end)

  it('on what is gone is refused', function()
    local cursor = claim('~1001')
    redis.call('DEL', key('presence'))
    refused(cursor)
  end)

  it('that is none is refused', function()
    claim('~1001')
    refused('')
  end)
end)
