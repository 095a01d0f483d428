-- A user pins a conversation, or has it out of sight.

local ME = '1002'

local function change(body, more)
  local arguments = { uid = ME, sid = sid(1), class = 'main', body = body }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('conversation', arguments)
end

local function talk()
  return read(key('talks', ME))['7']
end

before_each(function()
  redis.call('HSET', key('seat', ME), 'main:sid', sid(1))
  redis.call('HSET', key('talks', ME), '7', '5|6|')
end)

describe('a conversation', function()
  it('is pined and deleted, and back', function()
    for _, step in ipairs({
      { '"pined":true', 1, 0, '5|6|p' }, { '"deleted":1', 1, 1, '5|6|dp' }, { '"pined":0', 0, 1, '5|6|d' },
      { '"x":1', 0, 1, '5|6|d' }, { '"pined":true,"deleted":false', 1, 0, '5|6|p' },
    }) do
      local e = change('{"touid":7,' .. step[1] .. '}')
      assert.effects({ { name = 'reply', id = 1111 } }, e)
      assert.same({ error = 0, touid = 7, pined = step[2], deleted = step[3] }, e.reply.json)
      assert.equal(step[4], talk())
    end
  end)

  it('has to be there', function()
    assert.same({ error = 1102, reason = 'no_conversation' }, change('{"touid":8,"pined":true}').reply.json)
  end)

  it('is changed by who holds the seat', function()
    assert.effects('verify', change('{"touid":7,"pined":true}', { sid = sid(2) }))
  end)

  it('is not changed by what is no request', function()
    for _, body in ipairs({
      '', '{}', '{"touid":"7"}', '{"touid":7,"pined":"yes"}', '{"touid":7,"deleted":2}', '{"touid":7,"deleted":null}',
    }) do
      assert.same({ error = 1001, reason = 'field' }, change(body).reply.json)
    end
    assert.equal('5|6|', talk())
  end)
end)
