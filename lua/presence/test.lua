-- What has to be told, handed out page by page: to one worker at a time, and again if it died.

local NOW = 1700000000000

local function put(member, at)
  redis.call('ZADD', key('presence'), at or NOW, member)
end

local function presence(page_max)
  return run('presence', { page_max = page_max })
end

-- Who is handed out, as `~1001`.
local function handed(effects)
  local found = {}
  for _, effect in ipairs(effects) do
    if effect.name == 'call' then
      assert.equal('tell_friends', effect.script)
      found[#found + 1] = effect.args.reason .. effect.uid
    end
  end
  table.sort(found)
  return table.concat(found, ' ')
end

local function waiting()
  local members = redis.call('ZRANGE', key('presence'), 0, -1)
  table.sort(members)
  return table.concat(members, ' ')
end

before_each(function()
  clock.set(NOW)
end)

describe('an empty presence', function()
  it('hands out nothing, and has nothing to wait for', function()
    local e = presence()
    assert.effects('reply', e)
    assert.equal(-1, e.reply.json.next_ms)
    assert.same({}, state())
  end)
end)

describe('what is due', function()
  it('is claimed for ten seconds, whether somebody came, went, or has to learn who is on line', function()
    put('+1')
    put('-2')
    put('=3')
    put('~4')
    local e = presence()
    assert.equal('=3 ~1 ~2 ~4', handed(e))
    assert.equal('=3 ~1 ~2 ~4', waiting())
    assert.equal(10000, e.reply.json.next_ms)
    assert.equal('1700000009000||', e.call.args.cursor)
    assert.effects('reply', presence())
  end)

  it('is handed out again when the claim is over', function()
    put('+1')
    presence()
    clock.advance(9999)
    assert.equal('', handed(presence()))
    clock.advance(1)
    assert.equal('~1', handed(presence()))
  end)

  it('comes in pages, the oldest first', function()
    put('+1', NOW - 1)
    put('+2', NOW - 2)
    put('+3', NOW - 3)
    local e = presence(2)
    assert.equal('~2 ~3', handed(e))
    assert.equal(0, e.reply.json.next_ms)
    assert.equal('~1', handed(presence(2)))
  end)

  it('is left to whoever tells of the user already', function()
    put('~1', NOW + 5000)
    put('-1')
    assert.effects('reply', presence())
    assert.equal('~1', waiting())
    assert.equal(tostring(NOW + 5000), redis.call('ZSCORE', key('presence'), '~1'))
  end)

  it('is one call also where the claim of before is over', function()
    put('-1', NOW - 2)
    put('~1', NOW - 1)
    assert.equal('~1', handed(presence()))
    assert.equal('~1', waiting())
  end)

  it('is a question of its own for whoever has to learn', function()
    put('~1')
    put('=1')
    assert.equal('=1 ~1', handed(presence()))
  end)
end)

describe('what is not due', function()
  it('waits, and the answer says how long', function()
    put('-1', NOW + 5000)
    local e = presence()
    assert.effects('reply', e)
    assert.equal(5000, e.reply.json.next_ms)
    assert.equal('-1', waiting())
  end)
end)

describe('a user id', function()
  it('may be any text', function()
    put('+-a =c')
    local call = presence().call
    assert.equal('-a =c', call.uid)
  end)
end)
