-- The answer to a login: all that a user needs, within one frame, and from where the messages go on.

local ME, PEER = '1002', '1001'

local function sit(n, class, how)
  class = class or 'main'
  redis.call('HSET', key('seat', ME), class .. ':sid', sid(n), class .. ':node', 'n' .. n, class .. ':how', how or 'taken')
end

local function welcome(n, more)
  local arguments = { uid = ME, sid = sid(n), class = 'main', epoch = '1700000000005' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  local e = run('welcome', arguments)
  assert(not e.reply or #e.reply.body <= tonumber(arguments.body_max or 16384), 'it fits into a frame')
  return e, e.reply and e.reply.json
end

local function friend(uid, more)
  redis.call('HSET', key('friends', ME), uid,
    '{"uid":' .. uid .. ',"name":"u' .. uid .. '","icon":"i","since":1' .. (more or '') .. '}')
end

local function apply(uid, name)
  redis.call('HSET', key('applies', ME), uid,
    '{"uid":' .. uid .. ',"name":"' .. (name or 'a') .. '","status":0,"back":"secret","at":1700000000123}')
end

local function receive(msgid, content, more)
  local arguments = { uid = ME, peer = PEER }
  arguments.body = type(content) == 'table' and content[1]
    or '{"text_array":[{"content":"' .. content .. '","msgid":"' .. msgid .. '"}]}'
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('receive', arguments).reply.json.id
end

local function notice(message)
  local last = tonumber(redis.call('HGET', key('delivery', ME), 'last') or nil) or 0
  local id = string.format('%.0f', math.max(last + 1, clock.now()))
  local entry = id .. '|n|1001|1|9999999999999|{"uid":1001,"type":1001,"message":"' .. message .. '","time":7}'
  redis.call('RPUSH', key('inbox', ME), entry)
  redis.call('HSET', key('delivery', ME), 'last', id)
  redis.call('HINCRBY', key('delivery', ME), 'bytes', #entry)
  return tonumber(id)
end

local function receipt(id)
  run('receipt', { uid = ME, sid = sid(1), class = 'main', body = string.format('{"id":%.0f}', id) })
end

local function fields(list, field)
  local found = {}
  for i, item in ipairs(list or {}) do
    found[i] = string.format(type(item[field]) == 'number' and '%.0f' or '%s', item[field])
  end
  return table.concat(found, ' ')
end

before_each(function()
  friend(PEER, ',"back":"ann"')
  sit(1)
end)

describe('a welcome', function()
  it('says who has logged in, and leaves out what is empty', function()
    redis.call('DEL', key('friends', ME))
    local e, reply = welcome(1)
    assert.effects({ { name = 'reply', id = 1006, position = 0 } }, e)
    assert.same({
      error = 0, uid = 1002, sid = sid(1), class = 'main', epoch = 1700000000005, resumed = false,
      heartbeat_interval_ms = 10000, heartbeat_limit_ms = 60000,
    }, reply)
  end)

  it('has the profile, of which only public fields', function()
    redis.call('HSET', key('user', ME), 'name', 'Me "1"', 'nick', 'n', 'icon', 'i', 'desc', 'd', 'sex', '1')
    redis.call('HSET', key('user', ME), 'email', 'e', 'pwd', 'p')
    sit(1, 'main', 'resumed')
    local _, reply = welcome(1)
    assert.equal('Me "1" n i d 1', table.concat({ reply.name, reply.nick, reply.icon, reply.desc, reply.sex }, ' '))
    assert.is_nil(reply.email)
    assert.is_nil(reply.pwd)
    assert.is_true(reply.resumed)
  end)

  it('brings no messages to whoever lost the seat since, but the answer that precedes the kick (rule 8)', function()
    receive('a', 'one')
    local before = state()
    local e, reply = welcome(2)
    assert.effects('reply', e)
    assert.same({ 0, sid(2) }, { reply.error, reply.sid })
    assert.is_nil(reply.unread_messages)
    assert.is_nil(e.reply.position)
    redis.call('HSET', key('seat', ME), 'main:end', 'left')
    assert.is_nil(select(2, welcome(1)).unread_messages)
    redis.call('HDEL', key('seat', ME), 'main:end')
    assert.same(before, state())
  end)

  it('has friends, and no halves nor blocked users', function()
    for uid, bond in pairs({ ['3'] = '~{"uid":3}', ['4'] = '-17', ['5'] = '!17', ['6'] = '!-17', ['|watch|7'] = '1' }) do
      redis.call('HSET', key('friends', ME), uid, bond)
    end
    friend('20')
    friend('100')
    local _, reply = welcome(1)
    assert.equal('20 100 1001', fields(reply.friend_list, 'uid'))
    assert.same({ uid = 1001, name = 'u1001', icon = 'i', since = 1, back = 'ann' }, reply.friend_list[3])
    assert.is_nil(reply.more)
  end)

  it('has open applications, without what is not for the user', function()
    redis.call('HSET', key('applies', ME), '|day', '19000|3', '8', 'broken', '9', '7')
    apply('9007199254740991')
    apply('7')
    local _, reply = welcome(1)
    assert.equal('7 9007199254740991', fields(reply.apply_list, 'uid'))
    assert.same({ uid = 7, name = 'a', status = 0, at = 1700000000123 }, reply.apply_list[1])
  end)

  it('has conversations, pined ones first, then the last ones, with what is known of the friend', function()
    for peer, talk in pairs({
      ['1001'] = '5|1600000000000|', ['7'] = '6|1600000000001|', ['8'] = '7|1599999999999|p', ['9'] = '8|1700000000000|d',
      ['10'] = '8|1700000000000|dp', ['11'] = '9|1600000000001|', ['12'] = 'broken',
    }) do
      redis.call('HSET', key('talks', ME), peer, talk)
    end
    redis.call('HSET', key('friends', ME), '7', '~{"uid":7,"name":"half"}', '8', '!17', '11', '!{broken}')
    local _, reply = welcome(1)
    assert.equal('8 11 7 1001', fields(reply.conversations, 'uid'))
    assert.same({
      uid = 8, from_uid = 1002, to_uid = 8, create_time = 7, update_time = 1599999999999, name = '', icon = '', status = 0,
      deleted = 0, pined = 1,
    }, reply.conversations[1])
    assert.equal('  half u1001', fields(reply.conversations, 'name'))
  end)
end)

describe('messages that came meanwhile', function()
  it('stand in it, in order, with notifications apart', function()
    local first = receive('a', 'one')
    notice('hello')
    local body = '{"text_array":[{"content":"two","msgid":"b"},{"content":"{\\"content\\":\\"%1","msgid":"c"}]}'
    local second = receive('', { body })
    local last = notice('bye')
    local e, reply = welcome(1)
    assert.equal(last, e.reply.position)
    assert.equal(last, reply.id)
    local at = reply.unread_messages[1].timestamp
    assert.same({ id = first, from_id = 1001, to_id = 1002, timestamp = at, content = 'one', msgid = 'a' },
      reply.unread_messages[1])
    assert.same({ id = second, from_id = 1001, to_id = 1002, timestamp = reply.unread_messages[3].timestamp,
      content = '{"content":"%1', msgid = 'c' }, reply.unread_messages[3])
    assert.equal('a b c', fields(reply.unread_messages, 'msgid'))
    assert.same({ uid = 1001, type = 1001, message = 'hello', time = 7 }, reply.notifications[1])
    assert.equal('hello bye', fields(reply.notifications, 'message'))
  end)

  it('are the same when it is run again, and stay until they are acknowledged', function()
    receive('a', 'one')
    local e = welcome(1)
    local before = state()
    assert.same(e, (welcome(1)))
    assert.same(before, state())
    receipt(e.reply.position)
    local _, reply = welcome(1)
    assert.is_nil(reply.unread_messages)
    assert.is_nil(reply.id)
  end)

  it('are those of the newcomer after a takeover, and the next follow', function()
    local _, first = welcome(1)
    assert.is_nil(first.unread_messages)
    receive('a', 'one')
    sit(2)
    receive('b', 'two')
    assert.equal(1, #published(), 'the newcomer gets nothing before it is welcomed')
    local e, reply = welcome(2)
    assert.equal('a b', fields(reply.unread_messages, 'msgid'))
    local third = receive('c', 'three')
    local frames = published()[1].effects
    assert.effects({ { name = 'deliver', sid = sid(2), position = third, after = e.reply.position } }, frames)
  end)

  it('do not count when they ran out', function()
    clock.set(1700000000000)
    receive('a', 'one', { inbox_ttl_ms = 1000 })
    receive('b', 'two', { inbox_ttl_ms = 5000 })
    receive('c', 'three', { inbox_ttl_ms = 1000 })
    local last = receive('d', 'four', { inbox_ttl_ms = 5000 })
    receive('e', 'five', { inbox_ttl_ms = 1000 })
    clock.set(1700000001000)
    local e, reply = welcome(1)
    assert.equal('b d', fields(reply.unread_messages, 'msgid'))
    assert.equal(last, e.reply.position)
    assert.equal(4, #read(key('inbox', ME)), 'what stands first went')
  end)

  it('that do not fit follow as frames, once it is acknowledged', function()
    for n = 1, 60 do
      receive('m' .. n, string.rep('x', 100))
    end
    for uid = 1, 100 do
      friend(tostring(uid))
      apply(tostring(200 + uid))
    end
    local e, reply = welcome(1, { body_max = 8000 })
    local taken = #reply.unread_messages
    assert.is_true(taken > 10 and taken < 40)
    assert.equal(reply.unread_messages[taken].id, e.reply.position)
    assert.is_true(#reply.apply_list > 5 and #reply.friend_list > 20)
    published()
    receive('new', 'x')
    assert.same({}, published(), 'it waits behind the others')
    local position, shown = e.reply.position, taken
    repeat
      receipt(position)
      local frames = published()
      for _, message in ipairs(frames) do
        local frame = message.effects[1]
        assert.equal(position, frame.after)
        position, shown = frame.position, shown + 1
        assert.equal(shown == 61 and 'new' or 'm' .. shown, frame.json.text_array[1].msgid)
      end
    until #frames == 0
    assert.equal(61, shown)
    assert.is_nil(read(key('inbox', ME)))
  end)

  it('follow as frames also where not even the first one fits', function()
    local id = receive('a', string.rep('x', 1400), { body_max = 2048 })
    local e, reply = welcome(1, { body_max = 2048 })
    assert.is_nil(reply.unread_messages)
    assert.equal(id - 1, e.reply.position)
    assert.equal(id - 1, reply.id)
    receipt(id - 1)
    local frame = published()[1].effects[1]
    assert.effects({ { name = 'deliver', position = id, after = id - 1 } }, { frame })
  end)

  it('are read page by page where they are many', function()
    for n = 1, 120 do
      receive('m' .. n, 'x')
    end
    local _, reply = welcome(1, { body_max = 65535 })
    assert.equal(120, #reply.unread_messages)
    assert.equal('m120', reply.unread_messages[120].msgid)
  end)

  it('are never held up by an entry that nobody can read', function()
    receive('a', 'one')
    redis.call('RPUSH', key('inbox', ME), 'no entry')
    receive('b', 'two')
    local _, reply = welcome(1)
    assert.equal('a b', fields(reply.unread_messages, 'msgid'))
  end)
end)

describe('lists that are too long', function()
  -- All uids of a list, the first from the welcome, then by pages.
  local function all(list, body_max)
    local _, reply = welcome(1, { body_max = body_max })
    local found, cursor, pages = reply[list] or {}, reply.more and reply.more[list], 0
    while cursor do
      local page = run('page', { uid = ME, sid = sid(1), class = 'main', body_max = body_max,
        body = '{"list":"' .. list .. '","after":"' .. cursor .. '"}' }).reply
      assert.is_true(#page.body <= body_max)
      for _, item in ipairs(page.json[list]) do
        found[#found + 1] = item
      end
      assert.is_true(page.json.more ~= cursor, 'it goes on')
      cursor, pages = page.json.more, pages + 1
    end
    return found, pages
  end

  it('go on where they ended, page by page, and none is left out or comes twice', function()
    for n = 1, 300 do
      friend(tostring(n * 7))
      apply(tostring(n * 11))
    end
    for _, list in ipairs({ 'friend_list', 'apply_list' }) do
      local found, pages = all(list, 2048)
      assert.is_true(pages > 5)
      assert.equal(list == 'friend_list' and 300 + (1001 % 7 == 0 and 0 or 1) or 300, #found)
      for i = 2, #found do
        assert.is_true(found[i - 1].uid < found[i].uid)
      end
    end
  end)

  it('fit into a frame whatever is in them', function()
    redis.call('HSET', key('user', ME), 'name', string.rep('"', 64), 'desc', string.rep('\1', 300))
    for n = 1, 40 do
      friend(tostring(n), ',"desc":"' .. string.rep('d', 10 * n) .. '"')
      apply(tostring(n), string.rep('a', 5 * n))
      redis.call('HSET', key('talks', ME), n, '1|' .. n .. '|')
      receive('m' .. n, string.rep('x', n))
      notice(string.rep('y', n))
    end
    for body_max = 2048, 20000, 333 do
      local e, reply = welcome(1, { body_max = body_max })
      assert.is_true(body_max > 2048 or reply.name == nil, 'a profile that is too large is left out')
      assert.is_true(body_max < 3000 or reply.name ~= nil)
      assert.is_true(e.reply.position > 0)
    end
  end)

  it('pass over an element that would fit into no page', function()
    friend('5', ',"desc":"' .. string.rep('d', 3000) .. '"')
    friend('6')
    local found = all('friend_list', 2048)
    assert.equal('6 1001', fields(found, 'uid'))
  end)
end)
