-- A user sends texts: who may, what is refused, and what goes on to the receiver.

local ME, OTHER = '1001', '1002'

local function element(uid)
  return '{"uid":' .. uid .. ',"name":"u' .. uid .. '","since":1700000000000}'
end

local function text(body, more)
  local arguments = { uid = ME, sid = sid(1), class = 'main', body = body }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('text', arguments)
end

local HELLO = '{"fromuid":1001,"touid":1002,"text_array":[{"content":"hello","msgid":"{a-1}"}]}'

before_each(function()
  redis.call('HSET', key('seat', ME), 'main:sid', sid(1), 'main:node', 'n1')
  redis.call('HSET', key('friends', ME), OTHER, element(OTHER))
end)

describe('a text', function()
  it('goes to the receiver, who answers', function()
    local e = text(HELLO)
    assert.effects({ { name = 'call', script = 'receive', uid = OTHER, args = { peer = ME, body = HELLO } } }, e)
  end)

  it('reaches the receiver, and the answer says so', function()
    redis.call('HSET', key('user', OTHER), 'name', 'other')
    redis.call('HSET', key('friends', OTHER), ME, element(ME))
    local e = follow(text(HELLO).call)
    assert.effects({ { name = 'reply', id = 1018, json = { error = 0, fromuid = 1001, touid = 1002 } } }, e)
    assert.equal('accepted', e.reply.json.results[1].result)
    assert.equal(1, #read(key('inbox', OTHER)))
    assert.equal('duplicate', follow(text(HELLO).call).reply.json.results[1].result)
  end)

  it('is noted as a conversation', function()
    text(HELLO)
    local at = string.match(read(key('talks', ME))[OTHER], '^(%d+)|%1|$')
    assert.is_true(tonumber(at) > 1600000000000)
  end)

  it('needs the seat', function()
    assert.effects('verify', text(HELLO, { sid = sid(2) }))
    redis.call('HSET', key('seat', ME), 'main:end', 'left')
    assert.effects('verify', text(HELLO))
  end)

  it('to oneself is refused', function()
    local e = text('{"touid":1001,"text_array":[{"content":"hello","msgid":"a"}]}')
    local expected = { error = 1102, reason = 'self', fromuid = 1001, touid = 1001 }
    assert.effects({ { name = 'reply', id = 1018, json = expected } }, e)
  end)

  it('to nobody that is a friend is refused, with a result for each', function()
    local e = text('{"touid":1003,"text_array":[{"content":"a","msgid":"1"},{"content":"b","msgid":"2"}]}')
    assert.effects({ { name = 'reply', id = 1018 } }, e)
    assert.same({
      error = 1102, reason = 'no_friend', fromuid = 1001, touid = 1003,
      text_array = { { content = 'a', msgid = '1' }, { content = 'b', msgid = '2' } },
      results = { { msgid = '1', result = 'no_friend' }, { msgid = '2', result = 'no_friend' } },
    }, e.reply.json)
    assert.is_nil(read(key('talks', ME)))
  end)

  it('to a stranger is let through where anyone may send', function()
    local body = '{"touid":1003,"text_array":[{"content":"a","msgid":"1"}]}'
    assert.effects({ { name = 'call', script = 'receive', uid = '1003' } }, text(body, { senders = 'anyone' }))
  end)

  it('to somebody whom the sender blocks is refused, whoever may send', function()
    redis.call('HSET', key('friends', ME), OTHER, '!1700000000000')
    for _, senders in ipairs({ 'friends', 'anyone' }) do
      local reply = text(HELLO, { senders = senders }).reply.json
      assert.equal('1102 blocked', reply.error .. ' ' .. reply.reason)
    end
  end)

  it('to a former friend is refused, and that one is told once more', function()
    for bond, reason in pairs({ ['-1700000000123'] = 'no_friend', ['!-1700000000123'] = 'blocked' }) do
      redis.call('HSET', key('friends', ME), OTHER, bond)
      assert.effects({
        { name = 'call', script = 'unfriended', uid = OTHER, args = { peer = ME, since = '1700000000123' } },
        { name = 'reply', json = { error = 1102, reason = reason } },
      }, text(HELLO))
    end
  end)

  it('first mends a friendship of which the other side does not know yet', function()
    redis.call('HSET', key('friends', ME), OTHER, '~' .. element(OTHER))
    local e = text(HELLO)
    assert.effects({
      { name = 'call', script = 'befriend', uid = OTHER, args = { peer = ME, since = '1700000000000' } },
      { name = 'call', script = 'receive', uid = OTHER, args = { peer = ME, body = HELLO } },
    }, e)
  end)

  it('of no texts is answered at once', function()
    local e = text('{"touid":1002,"text_array":[]}')
    assert.effects({ { name = 'reply', id = 1018, json = { error = 0, touid = 1002 } } }, e)
    assert.is_nil(read(key('talks', ME)))
  end)

  it('that is none is refused, whatever it is', function()
    local deep = string.rep('[', 1100) .. string.rep(']', 1100)
    local long = string.rep('m', 65)
    local many = string.rep('{"content":"a","msgid":"b"},', 65)
    for _, body in ipairs({
      '', 'null', '[]', '17', '"text"', '{', '{"touid":1002}', '{"touid":1002,"text_array":' .. deep .. '}',
      '{"text_array":[{"content":"a","msgid":"b"}]}',
      '{"touid":"1002","text_array":[{"content":"a","msgid":"b"}]}',
      '{"touid":1e300,"text_array":[{"content":"a","msgid":"b"}]}',
      '{"touid":9007199254740993000,"text_array":[{"content":"a","msgid":"b"}]}',
      '{"touid":-1,"text_array":[{"content":"a","msgid":"b"}]}',
      '{"touid":0,"text_array":[{"content":"a","msgid":"b"}]}',
      '{"touid":1.5,"text_array":[{"content":"a","msgid":"b"}]}',
      '{"touid":nan,"text_array":[{"content":"a","msgid":"b"}]}',
      '{"touid":1002,"text_array":{"content":"a","msgid":"b"}}',
      '{"touid":1002,"text_array":{"1":{"content":"a","msgid":"b"}}}',
      '{"touid":1002,"text_array":"a"}', '{"touid":1002,"text_array":null}', '{"touid":1002,"text_array":[null]}',
      '{"touid":1002,"text_array":["a"]}', '{"touid":1002,"text_array":[{"content":"a"}]}',
      '{"touid":1002,"text_array":[{"content":7,"msgid":"b"}]}', '{"touid":1002,"text_array":[{"content":"a","msgid":7}]}',
      '{"touid":1002,"text_array":[{"content":"a","msgid":""}]}',
      '{"touid":1002,"text_array":[{"content":"a","msgid":"' .. long .. '"}]}',
      '{"touid":1002,"text_array":[{"content":"\\ud83d","msgid":"b"}]}',
      '{"touid":1002,"text_array":[' .. string.sub(many, 1, -2) .. ']}',
    }) do
      local e = text(body)
      assert.effects({ { name = 'reply', id = 1018, json = { error = 1001, reason = 'field' } } }, e)
    end
    assert.is_nil(read(key('talks', ME)))
  end)

  it('leaves the echo, then the results, out of an answer that would not fit into a frame', function()
    local body = '{"touid":1003,"text_array":[{"content":"' .. string.rep('a', 300) .. '","msgid":"1"}]}'
    local reply = text(body, { body_max = 300 }).reply.json
    assert.is_nil(reply.text_array)
    assert.same({ { msgid = '1', result = 'no_friend' } }, reply.results)
    reply = text(body, { body_max = 100 }).reply.json
    assert.same({ error = 1102, reason = 'no_friend', fromuid = 1001, touid = 1003 }, reply)
  end)
end)

describe('a conversation', function()
  local function talk()
    return read(key('talks', ME))[OTHER]
  end

  it('keeps its beginning and what was pined, and comes back when it was deleted', function()
    redis.call('HSET', key('talks', ME), OTHER, '1600000000000|1600000000001|dp')
    text(HELLO)
    assert.matches('^1600000000000|17%d+|p$', (string.gsub(talk(), '|1[89]', '|17')))
  end)

  it('is not written again within the second', function()
    clock.set(1700000000000)
    text(HELLO)
    clock.set(1700000000999)
    text(HELLO)
    assert.equal('1700000000000|1700000000000|', talk())
    clock.set(1700000001000)
    text(HELLO)
    assert.equal('1700000000000|1700000001000|', talk())
  end)

  it('takes the place of the oldest that is not pined, where there are 500', function()
    local fields = {}
    for peer = 1, 500 do
      local at = 1000 + peer
      fields[#fields + 1], fields[#fields + 2] = 5000 + peer, at .. '|' .. at .. '|' .. (peer < 3 and 'p' or '')
    end
    redis.call('HSET', key('talks', ME), unpack(fields))
    redis.call('HSET', key('talks', ME), '5004', '1|1003|d', '5005', '1|1003|')
    text(HELLO)
    local talks = read(key('talks', ME))
    assert.equal(500, redis.call('HLEN', key('talks', ME)))
    assert.is_nil(talks['5003'])
    assert.is_not_nil(talks['5001'])
    assert.is_not_nil(talks['5004'])
    assert.is_not_nil(talks[OTHER])
  end)
end)
