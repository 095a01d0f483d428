-- From what friends answered the sessions of a user learn who of them is on line.

local UID, CLAIM = '1', 1700000009000

local function sit(class, n, features)
  redis.call('HSET', key('seat', UID), class .. ':sid', sid(n), class .. ':node', 'n1', class .. ':features', features or '')
end

local function friend(uid, more)
  return '{"uid":"' .. uid .. '","online":true,"claim":1700000009000' .. (more or '') .. '}'
end

local function roll_call(answers, more)
  local arguments = { uid = UID, body = '[' .. table.concat(answers, ',') .. ']' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  local e = run('roll_call', arguments)
  assert.effects('reply', e)
  return e.reply.json.told
end

local function frames()
  local found = {}
  for i, message in ipairs(published()) do
    assert.equal('os:node:n1', message.channel)
    assert.equal(1025, message.effects[1].id)
    found[i] = message.effects[1]
  end
  return found
end

before_each(function()
  clock.set(1700000000000)
  redis.call('ZADD', key('presence'), CLAIM + 1000, '=1')
  sit('main', 1)
end)

describe('an older client', function()
  it('gets a frame for each friend on line', function()
    assert.equal(2, roll_call({ friend('2', ',"name":"Bob","icon":"b.png"'), friend('3') }))
    local found = frames()
    assert.equal(2, #found)
    assert.same({ error = 0, uid = 2, type = 1003, message = 'Bob is on line', status = 1, time = 1700000000000,
      icon = 'b.png' }, found[1].json)
    assert.same({ error = 0, uid = 3, type = 1003, message = '3 is on line', status = 1, time = 1700000000000, icon = '' },
      found[2].json)
  end)

  it('hears nothing of the others, and nothing where nobody is on line', function()
    assert.equal(0, roll_call({ '{"uid":"2","online":false,"claim":1700000009000}', 'null', '7' }))
    assert.equal(0, roll_call({}))
    assert.same({}, frames())
  end)
end)

describe('a client that reads many in one frame', function()
  before_each(function()
    sit('main', 1, 'ack,batch')
  end)

  it('gets one', function()
    assert.equal(2, roll_call({ friend('9007199254740991', ',"icon":"b.png"'), friend('x') }))
    local found = frames()
    assert.equal(1, #found)
    assert.same({ error = 0, type = 1003, message = '', status = 1, time = 1700000000000, friends = {
      { uid = 9007199254740991, status = 1, time = 1700000000000, icon = 'b.png' },
      { uid = 'x', status = 1, time = 1700000000000, icon = '' },
    } }, found[1].json)
    assert.matches('9007199254740991', found[1].body)
  end)

  it('gets as many as the largest body asks for', function()
    local answers, all = {}, 0
    for n = 1, 20 do
      answers[n] = friend(tostring(n + 1))
    end
    assert.equal(20, roll_call(answers, { body_max = 300 }))
    for _, frame in ipairs(frames()) do
      assert.is_true(#frame.body <= 300)
      all = all + #frame.json.friends
    end
    assert.equal(20, all)
    assert.equal(20, roll_call(answers, { body_max = '' }))
    assert.equal(1, #frames())
  end)

  it('gets no empty one', function()
    roll_call({})
    assert.same({}, frames())
  end)
end)

describe('every session', function()
  it('is told in its way', function()
    sit('phone', 2, 'batch')
    sit('tablet', 3, 'batches')
    roll_call({ friend('2'), friend('3') })
    local count = {}
    for _, frame in ipairs(frames()) do
      count[frame.sid] = (count[frame.sid] or 0) + 1
    end
    assert.same({ [sid(1)] = 2, [sid(2)] = 1, [sid(3)] = 2 }, count)
  end)
end)

describe('answers', function()
  it('to a question that is over are told to nobody', function()
    clock.advance(8001)
    assert.equal(0, roll_call({ friend('2') }))
  end)

  it('to a question that is asked anew are told to nobody', function()
    redis.call('ZADD', key('presence'), 1700000000001, '=1')
    assert.equal(0, roll_call({ friend('2') }))
    redis.call('ZADD', key('presence'), CLAIM + 1000, '~1')
    assert.equal(0, roll_call({ friend('2') }))
    redis.call('DEL', key('presence'))
    assert.equal(0, roll_call({ friend('2') }))
    assert.same({}, frames())
  end)

  it('that came with the telling of an arrival count too', function()
    redis.call('DEL', key('presence'))
    redis.call('ZADD', key('presence'), CLAIM + 1000, '~1')
    assert.equal(1, roll_call({ friend('2') }))
  end)
end)
