-- The backend sends a user a text: kept once, delivered as any other, with a time of its own.

local ME = '1002'

local function post(body, more)
  local arguments = { uid = ME, peer = '900', body = body }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('post', arguments)
end

local HELLO = '{"msgid":"a","content":"hello"}'

before_each(function()
  redis.call('HSET', key('user', ME), 'name', 'me')
end)

describe('a text of the backend', function()
  it('waits in the inbox, with no friendship asked for', function()
    local e = post(HELLO)
    local id = e.reply.json.id
    assert.effects({ { name = 'reply', id = 0 } }, e)
    assert.same({ error = 0, result = 'accepted', id = id }, e.reply.json)
    assert.matches('^%d+|t|900|%d+|%d+|{"content":"hello","msgid":"a"}$', read(key('inbox', ME))[1])
    assert.is_not_nil(read(key('talks', ME))['900'])
    assert.same({ error = 0, result = 'duplicate' }, post(HELLO).reply.json)
    assert.equal(1, #read(key('inbox', ME)))
  end)

  it('goes to a session that has all before it', function()
    redis.call('HSET', key('seat', ME), 'main:sid', sid(1), 'main:node', 'n2')
    redis.call('HSET', key('delivery', ME), 'main:sid', sid(1), 'main:sent', '0')
    local id = post(HELLO).reply.json.id
    local messages = published()
    assert.equal('os:node:n2', messages[1].channel)
    assert.effects({ { name = 'deliver', sid = sid(1), id = 1019, position = id, after = 0, json = { fromuid = 900 } } },
      messages[1].effects)
  end)

  it('may wait for a shorter time than others, not for a longer one', function()
    for ttl_ms, wanted in pairs({ [1500.7] = 1500, [5000] = 2000, [1e300] = 2000 }) do
      local body = string.format('{"msgid":"%g","content":"hello","ttl_ms":%g}', ttl_ms, ttl_ms)
      post(body, { inbox_ttl_ms = 2000 })
      local entries = read(key('inbox', ME))
      local at, till = string.match(entries[#entries], '^%d+|t|900|(%d+)|(%d+)')
      assert.equal(wanted, till - at)
    end
  end)

  it('is refused where it is none', function()
    local deep = string.rep('[', 1100) .. string.rep(']', 1100)
    for _, body in ipairs({
      '', '[]', '7', '{}', deep, '{"msgid":"a"}', '{"content":"a"}',
      '{"msgid":"","content":"a"}', '{"msgid":7,"content":"a"}',
      '{"msgid":"a","content":"a","ttl_ms":0}', '{"msgid":"a","content":"a","ttl_ms":"5"}',
      '{"msgid":"a","content":"a","ttl_ms":nan}', '{"msgid":"a","content":"a","ttl_ms":null}',
    }) do
      assert.same({ error = 1001, reason = 'field' }, post(body).reply.json)
    end
    assert.equal(1001, post(HELLO, { peer = '' }).reply.json.error)
    assert.equal(1001, post(HELLO, { peer = '1|2' }).reply.json.error)
    assert.is_nil(read(key('inbox', ME)))
  end)

  it('is refused for users that nobody knows, or that are being erased', function()
    assert.same({ error = 1011, result = 'unknown' }, post(HELLO, { uid = '77' }).reply.json)
    redis.call('HSET', key('user', ME), '|erasing', '1')
    assert.same({ error = 1011, result = 'unknown' }, post(HELLO).reply.json)
    assert.is_nil(read(key('inbox', '77')))
  end)

  it('may be too large', function()
    assert.same({ error = 1105, result = 'too_large' }, post(HELLO, { text_max = 4 }).reply.json)
  end)

  it('may find the inbox full', function()
    post('{"msgid":"x","content":"x"}')
    assert.same({ error = 1106, reason = 'inbox', result = 'full' }, post(HELLO, { inbox_max = 1 }).reply.json)
    local reply = post(HELLO, { inbox_max = 1, inbox_full = 'drop' }).reply.json
    assert.equal('accepted', reply.result)
    assert.equal(1, reply.dropped)
  end)
end)
