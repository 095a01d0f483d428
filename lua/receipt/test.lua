-- A session acknowledges what it has shown: that leaves the inbox, and what waited follows.

local ME, PEER = '1002', '1001'

local function seat(n, class)
  class = class or 'main'
  redis.call('HSET', key('seat', ME), class .. ':sid', sid(n), class .. ':node', 'n' .. n)
end

local function sit(n, class)
  seat(n, class)
  redis.call('HSET', key('delivery', ME), (class or 'main') .. ':sid', sid(n), (class or 'main') .. ':sent', '0')
end

-- One text comes in; answers its id.
local function receive(content, more)
  local body = '{"text_array":[{"content":"' .. content .. '","msgid":"' .. content .. '"}]}'
  local arguments = { uid = ME, peer = PEER, body = body }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('receive', arguments).reply.json.id
end

local function receipt(n, id, more)
  local arguments = { uid = ME, sid = sid(n), class = 'main', body = '{"id":' .. string.format('%.0f', id) .. '}' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('receipt', arguments)
end

local function waiting()
  local found, bytes = {}, 0
  for i, entry in ipairs(read(key('inbox', ME)) or {}) do
    found[i], bytes = string.match(entry, '"content":"(.-)"') or string.match(entry, '|(%l)|'), bytes + #entry
  end
  assert.equal(bytes, tonumber((read(key('delivery', ME)) or {}).bytes or 0))
  return table.concat(found, ' ')
end

local function sent_frames()
  local found = {}
  for _, message in ipairs(published()) do
    for _, effect in ipairs(message.effects) do
      found[#found + 1] = effect
    end
  end
  return found
end

before_each(function()
  redis.call('HSET', key('friends', ME), PEER, '{"uid":1001,"since":1}')
  sit(1)
end)

describe('a receipt', function()
  it('takes what was shown from the inbox', function()
    local first, second = receive('a'), receive('b')
    receive('c')
    local e = receipt(1, first)
    assert.effects({ { name = 'reply', id = 1103, json = { error = 0, id = first } } }, e)
    assert.equal('b c', waiting())
    receipt(1, second)
    assert.equal('c', waiting())
    assert.equal(3, #published())
  end)

  it('that comes twice, or late, changes nothing more', function()
    local first, second = receive('a'), receive('b')
    receive('c')
    receipt(1, second)
    local before = state()
    assert.effects({ { name = 'reply', json = { error = 0, id = second } } }, receipt(1, second))
    assert.effects({ { name = 'reply', json = { error = 0, id = first } } }, receipt(1, first))
    assert.same(before, state())
  end)

  it('of the last one leaves nothing', function()
    receive('a')
    receipt(1, receive('b'))
    assert.equal('', waiting())
    assert.is_nil(read(key('inbox', ME)))
  end)

  it('of many at once takes them all', function()
    local ids = {}
    for n = 1, 150 do
      ids[n] = receive('m' .. n)
    end
    redis.call('HSET', key('delivery', ME), 'main:sent', string.format('%.0f', ids[140]))
    receipt(1, ids[4])
    assert.equal(146, redis.call('LLEN', key('inbox', ME)))
    receipt(1, ids[139])
    assert.matches('^m140 ', waiting())
    assert.equal(11, redis.call('LLEN', key('inbox', ME)))
  end)

  it('counts only for what the session was sent', function()
    for n = 1, 34 do
      receive('m' .. n)
    end
    assert.effects({ { name = 'reply', json = { error = 0 } } }, receipt(1, 9e15))
    assert.equal('m33 m34', waiting())
    sit(1)
    redis.call('HSET', key('delivery', ME), 'main:sent', '0')
    receipt(1, 9e15)
    assert.equal('m33 m34', waiting())
  end)

  it('of a session that was not welcomed, or whose turn is over, changes nothing', function()
    local id = receive('a')
    redis.call('HSET', key('delivery', ME), 'main:sid', sid(7))
    assert.effects({ { name = 'reply', id = 1103, json = { error = 0, id = id } } }, receipt(1, id))
    assert.equal('a', waiting())
    redis.call('DEL', key('delivery', ME))
    redis.call('HSET', key('delivery', ME), 'bytes', #read(key('inbox', ME))[1])
    receipt(1, id)
    assert.equal('a', waiting())
  end)

  it('of a session whose seat another holds has it verified', function()
    local id = receive('a')
    seat(2)
    assert.effects('verify', receipt(1, id))
    assert.equal('a', waiting())
  end)

  it('of a session that has ended counts still, where nobody else came', function()
    for n = 1, 34 do
      receive('m' .. n)
    end
    local last = read(key('delivery', ME))['main:sent']
    redis.call('HSET', key('seat', ME), 'main:end', 'left')
    published()
    assert.effects('reply', receipt(1, tonumber(last)))
    assert.equal('m33 m34', waiting())
    redis.call('DEL', key('seat', ME))
    assert.effects('reply', receipt(1, tonumber(last)))
    assert.same({}, published(), 'there is nobody to send more to')
  end)

  it('that is none is refused', function()
    receive('a')
    for _, body in ipairs({
      '', '[]', '{}', '{"id":0}', '{"id":-1}', '{"id":"5"}', '{"id":1.5}', '{"id":1e300}', '{"id":null}',
    }) do
      local e = receipt(1, 1, { body = body })
      assert.effects({ { name = 'reply', id = 1103, json = { error = 1001, reason = 'field' } } }, e)
    end
    assert.equal('a', waiting())
  end)

  it('does not touch what another class was sent and this one not', function()
    sit(2, 'phone')
    local id = receive('a')
    receipt(1, id)
    assert.equal('', waiting(), 'one session that shows it is enough')
    assert.effects('reply', receipt(2, id, { class = 'phone' }))
    published()
    receive('b')
    assert.equal(2, #published(), 'both go on from here')
  end)
end)

describe('what waited', function()
  local ids
  before_each(function()
    ids = {}
    for n = 1, 36 do
      ids[n] = receive('m' .. n)
    end
    published()
  end)

  it('follows as fast as it is acknowledged, 32 under way', function()
    receipt(1, ids[2])
    local frames = sent_frames()
    assert.effects({
      { name = 'deliver', sid = sid(1), id = 1019, position = ids[33], after = ids[32] },
      { name = 'deliver', sid = sid(1), id = 1019, position = ids[34], after = ids[33] },
    }, frames)
    assert.equal('m33', frames[1].json.text_array[1].content)
    receive('late')
    assert.same({}, sent_frames(), 'it stands behind those that wait')
    receipt(1, ids[34])
    frames = sent_frames()
    assert.equal(3, #frames)
    assert.equal('late', frames[3].json.text_array[1].content)
    receipt(1, frames[3].position)
    assert.equal('', waiting())
  end)

  it('follows also after a receipt that came before', function()
    receipt(1, ids[1])
    receipt(1, ids[1])
    assert.equal(1, #sent_frames())
  end)

  it('is passed over when it ran out meanwhile', function()
    clock.set(1700000000000)
    redis.call('DEL', key('inbox', ME), key('delivery', ME), key('seen', ME))
    sit(1)
    for n = 1, 32 do
      ids[n] = receive('m' .. n)
    end
    receive('short', { inbox_ttl_ms = 1000 })
    local long = receive('long')
    clock.set(1700000001000)
    published()
    receipt(1, ids[32])
    assert.effects({ { name = 'deliver', position = long, after = ids[32] } }, sent_frames())
    assert.equal('long', waiting(), 'what stands first goes at once')
    for n = 1, 31 do
      ids[n] = receive('n' .. n)
    end
    receive('short 2', { inbox_ttl_ms = 1000 })
    local last = receive('last')
    clock.set(1700000002000)
    published()
    receipt(1, long)
    assert.same({}, sent_frames(), 'behind others it keeps its place')
    receipt(1, ids[2])
    assert.effects({ { name = 'deliver', position = last, after = ids[31] } }, sent_frames())
  end)

  it('may be a notification', function()
    local id = string.format('%.0f', ids[36] + 5)
    redis.call('RPUSH', key('inbox', ME), id .. '|n|1001|1|9999999999999|{"uid":1001,"type":1002,"message":"gone","time":7}')
    redis.call('HSET', key('delivery', ME), 'last', id)
    redis.call('HINCRBY', key('delivery', ME), 'bytes', #read(key('inbox', ME))[37])
    receipt(1, ids[32])
    local frames = sent_frames()
    assert.equal(5, #frames)
    assert.equal(1025, frames[5].id)
    assert.same({
      error = 0, uid = 1001, type = 1002, message = 'gone', time = 7, status = 0, icon = '', id = ids[36] + 5,
    }, frames[5].json)
    receipt(1, ids[36] + 5)
    assert.equal('', waiting())
  end)
end)
