-- Texts come in for a user: what is accepted, where it goes, what the bounds do, and what the sender is told.

local ME, PEER = '1002', '1001'

local function element(uid)
  return '{"uid":' .. uid .. ',"name":"u' .. uid .. '","since":1700000000000}'
end

-- A session on its seat that was welcomed with an empty inbox.
local function sit(n, node, class)
  class = class or 'main'
  redis.call('HSET', key('seat', ME), class .. ':sid', sid(n), class .. ':node', node or 'n1')
  redis.call('HSET', key('delivery', ME), class .. ':sid', sid(n), class .. ':sent', '0')
end

local function items(texts)
  local parts = {}
  for i = 1, #texts, 2 do
    parts[#parts + 1] = '{"msgid":"' .. texts[i] .. '","content":"' .. texts[i + 1] .. '"}'
  end
  return '{"fromuid":1001,"touid":1002,"text_array":[' .. table.concat(parts, ',') .. ']}'
end

-- Texts as msgid, content, msgid, content ...; an argument table may come last.
local function receive(...)
  local texts, arguments = { ... }, { uid = ME, peer = PEER }
  local more = type(texts[#texts]) == 'table' and table.remove(texts) or {}
  arguments.body = items(texts)
  for name, value in pairs(more) do
    arguments[name] = value
  end
  return run('receive', arguments)
end

local function outcome(e)
  local words = { tostring(e.reply.json.error) }
  for _, result in ipairs(e.reply.json.results) do
    words[#words + 1] = result.msgid .. '=' .. result.result
  end
  return table.concat(words, ' ')
end

local function entries()
  return read(key('inbox', ME)) or {}
end

local function contents()
  local found = {}
  for _, entry in ipairs(entries()) do
    for content in string.gmatch(entry, '"content":"(.-)"') do
      found[#found + 1] = content
    end
  end
  return table.concat(found, ' ')
end

-- Entries and their bytes are what the delivery hash says.
local function assert_sound()
  local bytes = 0
  for _, entry in ipairs(entries()) do
    bytes = bytes + #entry
  end
  assert.equal(bytes, tonumber((read(key('delivery', ME)) or {}).bytes or 0))
end

before_each(function()
  redis.call('HSET', key('user', ME), 'name', 'me')
  redis.call('HSET', key('friends', ME), PEER, element(PEER))
end)

describe('a text for a user who is off line', function()
  it('waits in the inbox, and the sender is told', function()
    local e = receive('a', 'hello')
    local id = e.reply.json.id
    assert.effects('reply', e)
    assert.equal(1018, e.reply.id)
    assert.same({
      error = 0, fromuid = 1001, touid = 1002, id = id, text_array = { { content = 'hello', msgid = 'a' } },
      results = { { msgid = 'a', result = 'accepted' } },
    }, e.reply.json)
    local entry = entries()[1]
    assert.matches('^%d+|t|1001|%d+|%d+|{"content":"hello","msgid":"a"}$', entry)
    assert.equal(string.format('%.0f', id), string.match(entry, '^%d+'))
    local at, till = string.match(entry, '^%d+|t|1001|(%d+)|(%d+)')
    assert.equal(2592000000, till - at)
    assert.same({}, published())
    assert.is_true(redis.call('PTTL', key('inbox', ME)) > 2591990000)
    assert.is_true(redis.call('PTTL', key('seen', ME)) > 1190000)
    assert.is_not_nil(read(key('talks', ME))[PEER])
    assert_sound()
  end)

  it('has an id above the one before, also where the clock stands still or goes back', function()
    local first = receive('a', '1').reply.json.id
    local second = receive('b', '2').reply.json.id
    assert.is_true(second > first)
    clock.set(1600000000000)
    assert.equal(second + 1, receive('c', '3').reply.json.id)
    assert_sound()
  end)

  it('is accepted once, however often it is sent', function()
    receive('a', 'hello')
    local e = receive('a', 'hello')
    assert.equal('0 a=duplicate', outcome(e))
    assert.is_nil(e.reply.json.id)
    assert.equal('0 b=accepted a=duplicate b=duplicate', outcome(receive('b', 'x', 'a', 'y', 'b', 'z')))
    assert.equal('hello x', contents())
    redis.call('HSET', key('friends', ME), '1003', element('1003'))
    assert.equal('0 a=accepted', outcome(receive('a', 'of another', { peer = '1003' })))
    assert_sound()
  end)

  it('is accepted again after the time for which msgids are known', function()
    clock.set(1700000000000)
    receive('a', 'hello', { dedup_ms = 1000 })
    clock.set(1700000000999)
    assert.equal('0 a=duplicate', outcome(receive('a', 'hello', { dedup_ms = 1000 })))
    clock.set(1700000001000)
    assert.equal('0 a=accepted', outcome(receive('a', 'hello', { dedup_ms = 1000 })))
  end)

  it('does not have its msgids known for ever', function()
    clock.set(1700000000000)
    receive('first', '1')
    for n = 1, 98 do
      receive('m' .. n, '2')
    end
    clock.set(1700000599000)
    assert.equal('0 first=duplicate', outcome(receive('first', '1')))
    clock.set(1700000600000)
    receive('last', '3')
    assert.equal(1, redis.call('ZCARD', key('seen', ME)), 'those of ten minutes ago are forgotten')
    local texts = {}
    for n = 1, 1200 do
      texts[#texts + 1], texts[#texts + 2] = 'n' .. n, '4'
      if #texts == 128 then
        receive(unpack(texts))
        texts = {}
      end
    end
    assert.is_true(redis.call('ZCARD', key('seen', ME)) <= 1100)
  end)

  it('is kept with others of its frame as one entry, in order', function()
    assert.equal('0 a=accepted b=accepted', outcome(receive('a', '1', 'b', '2')))
    receive('c', '3')
    assert.equal(2, #entries())
    assert.equal('1 2 3', contents())
    assert_sound()
  end)
end)

describe('the content of a text', function()
  it('may be anything', function()
    sit(1)
    for i, content in ipairs({
      '', '\\"\\\\\\/', '\\u0000\\u0001\\u001f\\n', '|1|t|x', '{\\"content\\":', 'Grüße 你好 😀',
    }) do
      local wanted = json('["' .. content .. '"]')[1]
      local e = receive('id' .. i, content)
      assert.equal(wanted, e.reply.json.text_array[1].content)
      assert.equal(wanted, published()[1].effects[1].json.text_array[1].content)
    end
    assert_sound()
  end)

  it('is the only thing kept of what a client writes, beside the msgid', function()
    local body = '{"touid":1002,"text_array":[{"content":"a","msgid":"b","json":"x","result":"y","member":"z","more":[1]}]}'
    local e = run('receive', { uid = ME, peer = PEER, body = body })
    assert.same({ { content = 'a', msgid = 'b' } }, e.reply.json.text_array)
    assert.equal('0 b=accepted', outcome(e))
    assert.matches('|{"content":"a","msgid":"b"}$', entries()[1])
  end)

  it('may be too large, for the setting or for a frame', function()
    assert.equal('1105 a=too_large b=accepted', outcome(receive('a', '12345', 'b', '1234', { text_max = 4 })))
    local slashes = string.rep('/', 900)
    assert.equal('1105 c=too_large', outcome(receive('c', slashes, { body_max = 2048 })), 'each takes two bytes')
    local most = string.rep('x', 900)
    local e = receive('d', most, 'e', most, 'f', 'short', { body_max = 2048 })
    assert.equal('1105 d=accepted e=too_large f=accepted', outcome({ reply = e.reply }))
    assert.equal('1234 ' .. most .. ' short', contents())
    assert_sound()
  end)

  it('is not taken for a duplicate where it was too large before', function()
    receive('a', '12345', { text_max = 4 })
    assert.equal('0 a=accepted', outcome(receive('a', '1234', { text_max = 4 })))
  end)

  it('of the largest frame is published within a frame', function()
    sit(1)
    local texts = {}
    for n = 1, 64 do
      texts[#texts + 1], texts[#texts + 2] = '"' .. n, string.rep('"', 20)
    end
    local parts = {}
    for n = 1, 64 do
      parts[n] = '{"content":"' .. string.rep('\\"', 10) .. '","msgid":"\\"' .. n .. '"}'
    end
    local body = '{"touid":1002,"text_array":[' .. table.concat(parts, ',') .. ']}'
    local e = run('receive', { uid = ME, peer = PEER, body = body, body_max = 2048 })
    assert.equal(1105, e.reply.json.error)
    assert.is_nil(e.reply.json.text_array)
    assert.is_true(#e.reply.body <= 2048)
    local frame = published()[1].effects[1]
    assert.is_true(#frame.body <= 2048)
    assert.is_true(#frame.json.text_array > 20)
  end)
end)

describe('who may send', function()
  it('does not count for users that nobody knows', function()
    local e = receive('a', '1', { uid = '77' })
    assert.effects('reply', e)
    assert.equal('1011 a=unknown', outcome(e))
    assert.is_nil(e.reply.json.reason)
    assert.is_nil(read(key('inbox', '77')))
  end)

  it('is asked for users with a profile, a ticket or a seat', function()
    run('ticket', { uid = '77', class = 'main', token_digest = 'aa' })
    assert.equal('1102 a=no_friend', outcome(receive('a', '1', { uid = '77' })))
    redis.call('HSET', key('seat', '78'), 'main:sid', sid(1))
    assert.equal('1102 a=no_friend', outcome(receive('a', '1', { uid = '78' })))
  end)

  it('is a friend', function()
    redis.call('HDEL', key('friends', ME), PEER)
    local e = receive('a', '1', 'b', '2')
    assert.effects('reply', e)
    assert.equal('no_friend', e.reply.json.reason)
    assert.equal('1102 a=no_friend b=no_friend', outcome(e))
    assert.same({}, entries())
    assert.is_nil(read(key('talks', ME)))
  end)

  it('is nobody who is blocked, even where anyone may', function()
    redis.call('HSET', key('friends', ME), PEER, '!1700000000000')
    for _, senders in ipairs({ 'friends', 'anyone' }) do
      local e = receive('a', '1', { senders = senders })
      assert.effects('reply', e)
      assert.equal('blocked', e.reply.json.reason)
    end
  end)

  it('is anyone where that is allowed', function()
    redis.call('HDEL', key('friends', ME), PEER)
    assert.equal('0 a=accepted', outcome(receive('a', '1', { senders = 'anyone' })))
  end)

  it('is a friend already who may not know of the approval yet', function()
    redis.call('HSET', key('friends', ME), PEER, '~' .. element(PEER))
    local e = receive('a', '1')
    assert.effects({
      { name = 'call', script = 'befriend', uid = PEER, args = { peer = ME, since = '1700000000000' } },
      { name = 'reply', json = { error = 0 } },
    }, e)
    assert.equal('0 a=accepted', outcome(e))
  end)

  it('is told once more that the friendship ended, who does not know yet', function()
    for _, bond in ipairs({ '-1700000000123', '!-1700000000123' }) do
      redis.call('HSET', key('friends', ME), PEER, bond)
      local e = receive('a', '1')
      assert.effects({
        { name = 'call', script = 'unfriended', uid = PEER, args = { peer = ME, since = '1700000000123' } },
        { name = 'reply', json = { error = 1102 } },
      }, e)
    end
  end)

  it('does not matter where there is nothing to send', function()
    for _, body in ipairs({ '', '{"text_array":[]}', '{"text_array":[7]}' }) do
      assert.equal(1001, run('receive', { uid = ME, peer = PEER, body = body }).reply.json.error)
    end
  end)
end)

describe('a session of the user', function()
  it('gets a text through its node, in its place', function()
    sit(1, 'n2')
    local id = receive('a', 'hello').reply.json.id
    local messages = published()
    assert.equal(1, #messages)
    assert.equal('os:node:n2', messages[1].channel)
    local frame = messages[1].effects[1]
    assert.same({
      error = 0, fromuid = 1001, touid = 1002, text_array = { { content = 'hello', msgid = 'a' } }, id = id,
      timestamp = frame.json.timestamp,
    }, frame.json)
    assert.effects({ { name = 'deliver', sid = sid(1), id = 1019, position = id, after = 0 } }, messages[1].effects)
    local second = receive('b', 'more').reply.json.id
    assert.effects({ { name = 'deliver', position = second, after = id } }, published()[1].effects)
    assert.equal('hello more', contents(), 'until it is acknowledged')
    assert_sound()
  end)

  it('gets nothing before it was welcomed', function()
    sit(1)
    redis.call('HSET', key('seat', ME), 'main:sid', sid(2))
    receive('a', 'hello')
    redis.call('HSET', key('seat', ME), 'main:sid', sid(1), 'main:end', 'left')
    receive('b', 'hello')
    assert.same({}, published())
  end)

  it('gets nothing beyond a hole', function()
    receive('a', '1')
    sit(1)
    receive('b', '2')
    assert.same({}, published())
    assert.equal('1 2', contents())
  end)

  it('is not sent more than 32 that it did not acknowledge', function()
    sit(1)
    for n = 1, 40 do
      receive('m' .. n, 'x')
    end
    assert.equal(32, #published())
    assert.equal(40, #entries())
    local delivery = read(key('delivery', ME))
    assert.equal(string.match(entries()[32], '^%d+'), delivery['main:sent'])
    assert.equal(string.match(entries()[40], '^%d+'), delivery.last)
  end)

  it('gets what waited when it acknowledges, texts and notices', function()
    sit(1)
    for n = 1, 32 do
      receive('m' .. n, 'x')
    end
    local first = string.match(entries()[1], '^%d+')
    local id = read(key('delivery', ME)).last + 1
    redis.call('RPUSH', key('inbox', ME),
      string.format('%.0f|n|5|1700000000000|9900000000000|{"uid":5,"type":1001,"message":"m","time":1}', id))
    redis.call('HSET', key('delivery', ME), 'last', string.format('%.0f', id))
    receive('last', 'y')
    published()
    run('receipt', { uid = ME, sid = sid(1), class = 'main', body = '{"id":' .. first .. '}' })
    local frame = published()[1].effects[1]
    assert.equal(1025, frame.id)
    assert.same({
      error = 0, uid = 5, type = 1001, message = 'm', time = 1, status = 0, icon = '', id = id,
    }, frame.json)
  end)

  it('of each class gets it', function()
    sit(1, 'n1')
    sit(2, 'n2', 'phone')
    receive('a', '1')
    assert.equal(2, #published())
  end)

  it('needs no deadline for what it takes at once, but keeps that of what waits', function()
    sit(1)
    receive('a', '1')
    assert.equal(-1, redis.call('PTTL', key('inbox', ME)))
    receive('b', '2')
    assert.is_true(redis.call('PTTL', key('inbox', ME)) > 2591990000)
  end)
end)

describe('an inbox that is full', function()
  it('refuses', function()
    receive('a', '1', { inbox_max = 2 })
    receive('b', '2', { inbox_max = 2 })
    local e = receive('a', '1', 'c', '3', { inbox_max = 2 })
    assert.equal('1106 a=duplicate c=full', outcome(e))
    assert.equal('inbox', e.reply.json.reason)
    assert.is_nil(e.reply.json.id)
    assert.equal('1 2', contents())
    assert.equal('0 c=accepted', outcome(receive('c', '3')), 'it is not taken for a duplicate')
    assert_sound()
  end)

  it('refuses by its bytes, too', function()
    receive('a', '1', { inbox_bytes_max = 120 })
    assert.equal('1106 b=full', outcome(receive('b', '2', { inbox_bytes_max = 120 })))
    assert_sound()
  end)

  it('names the first error', function()
    local e = receive('a', '12345', 'b', '1', { text_max = 4, inbox_max = 0 })
    assert.equal('1105 a=too_large b=full', outcome(e))
    assert.is_nil(e.reply.json.reason)
  end)

  it('drops the oldest where that is the rule, and says so', function()
    local drop = { inbox_max = 2, inbox_full = 'drop' }
    receive('a', '1', drop)
    receive('b', '2', drop)
    local e = receive('c', '3', drop)
    assert.equal('0 c=accepted', outcome(e))
    assert.equal(1, e.reply.json.dropped)
    assert.equal('2 3', contents())
    drop.inbox_bytes_max, drop.inbox_max = 150, 1000
    e = receive('d', '4444444444444444444', drop)
    assert.equal(2, e.reply.json.dropped)
    assert.equal('4444444444444444444', contents())
    assert_sound()
  end)

  it('drops nothing for what would not fit even then', function()
    receive('a', '1')
    local e = receive('b', string.rep('2', 100), { inbox_bytes_max = 120, inbox_full = 'drop' })
    assert.equal('1106 b=full', outcome(e))
    assert.equal('1', contents())
    assert_sound()
  end)

  it('has neither an old conversation for ever', function()
    local fields = {}
    for peer = 1, 500 do
      fields[#fields + 1], fields[#fields + 2] = 5000 + peer, peer .. '|' .. peer .. '|'
    end
    redis.call('HSET', key('talks', ME), unpack(fields))
    receive('a', '1')
    assert.equal(500, redis.call('HLEN', key('talks', ME)))
    assert.is_nil(read(key('talks', ME))['5001'])
  end)

  it('first gives up what ran out', function()
    clock.set(1700000000000)
    receive('a', '1', { inbox_ttl_ms = 5000 })
    receive('b', '2', { inbox_ttl_ms = 1000 })
    receive('c', '3', { inbox_ttl_ms = 9000 })
    clock.set(1700000005000)
    local e = receive('d', '4', { inbox_max = 2, inbox_ttl_ms = 9000 })
    assert.equal('0 d=accepted', outcome(e))
    assert.is_nil(e.reply.json.dropped)
    assert.equal('3 4', contents())
    assert_sound()
  end)

  it('is begun anew when all of it ran out', function()
    clock.set(1700000000000)
    receive('a', '1', { inbox_ttl_ms = 1000 })
    clock.set(1700000001001)
    assert.same({}, entries())
    receive('b', '2')
    assert.equal('2', contents())
    assert_sound()
  end)

  it('counts its bytes anew where notices came after all of it ran out', function()
    clock.set(1700000000000)
    receive('a', string.rep('1', 100), { inbox_ttl_ms = 1000 })
    clock.set(1700000001001)
    local entry = '1700000001001|n|5|1700000001001|1800000000000|{"uid":5,"type":1001,"message":"m","time":1}'
    redis.call('RPUSH', key('inbox', ME), entry)
    redis.call('HSET', key('delivery', ME), 'last', '1700000001001')
    redis.call('HINCRBY', key('delivery', ME), 'bytes', #entry)
    assert.equal('0 b=accepted', outcome(receive('b', '2', { inbox_bytes_max = 200 })))
    assert_sound()
  end)

  it('loses what nobody can read', function()
    redis.call('RPUSH', key('inbox', ME), 'no entry')
    receive('b', '2')
    assert.equal('2', contents())
    assert_sound()
  end)
end)
