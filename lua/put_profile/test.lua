-- The backend writes profiles: all fields of a call or none.

-- What the last call said of the copies at friends.
local stale

local function put(body, since)
  local e = run('put_profile', { uid = '1001', body = body, since = since })
  assert.effects('reply', e)
  local answer = e.reply.json
  stale, answer.stale = answer.stale, nil
  return answer
end

local function put_name(name)
  return put('{"name":"' .. name .. '"}', run('claim_name', { uid = name, who = '1001' }).reply.json.at)
end

local function profile()
  return run('profile', { uid = '1001' }).reply.json.profile
end

describe('fields', function()
  it('are set, and those that are not named stay', function()
    assert.same({ old = {}, new = { nick = 'A', sex = 1 } }, put('{"nick":"A","sex":1,"email":"a@b","level":7.5}'))
    assert.same({ old = { nick = 'A', sex = 1 }, new = { nick = 'B', sex = 1 } }, put('{"nick":"B"}'))
    assert.same({ nick = 'B', sex = 1, email = 'a@b', level = '7.5' }, profile())
  end)

  it('are removed by null', function()
    put('{"nick":"A","email":"a@b"}')
    assert.same({ old = { nick = 'A' }, new = {} }, put('{"nick":null,"email":null,"other":null}'))
    assert.same({}, profile())
  end)

  it('written again change nothing (G12)', function()
    put('{"nick":"A"}')
    local before = state()
    assert.same({ old = { nick = 'A' }, new = { nick = 'A' } }, put('{"nick":"A"}'))
    assert.same(before, state())
  end)

  it('may be none', function()
    assert.same({ old = {}, new = {} }, put('{}'))
    assert.same({}, state())
  end)
end)

describe('copies at friends', function()
  it('are out of date where something public changed, until somebody says otherwise', function()
    put('{"email":"a@b"}')
    assert.is_nil(stale)
    put('{"nick":"A"}')
    local first = assert(stale)
    put('{"nick":"A"}')
    assert.equal(first, stale)
    put('{"nick":null}')
    assert.is_true(tonumber(stale) > tonumber(first))
  end)
end)

describe('what cannot be written', function()
  local function refused(body, field)
    put('{"nick":"A"}')
    local before = state()
    assert.same({ error = 'field', field = field }, put(body, clock.now()), body)
    assert.same(before, state())
  end

  it('is refused with the field, and nothing is written', function()
    refused('{"nick":"B","email":true}', 'email')
    refused('{"email":["a"]}', 'email')
    refused('{"email":{"a":1}}', 'email')
    refused('["a"]', '1')
  end)

  it('is a name of a field that we could not tell from our own', function()
    refused('{"|erasing":"1"}', '|erasing')
    refused('{"a b":"1"}', 'a b')
    refused('{"":"1"}', '')
    refused('{"' .. string.rep('x', 65) .. '":null}', string.rep('x', 65))
  end)

  it('is more than friends keep copies of', function()
    refused('{"nick":"' .. string.rep('x', 129) .. '"}', 'nick')
    refused('{"icon":"' .. string.rep('x', 513) .. '"}', 'icon')
    refused('{"desc":"' .. string.rep('x', 513) .. '"}', 'desc')
    refused('{"email":"' .. string.rep('x', 4097) .. '"}', 'email')
  end)

  it('is a sex that is no small number', function()
    refused('{"sex":"f"}', 'sex')
    refused('{"sex":-1}', 'sex')
    refused('{"sex":1000}', 'sex')
    refused('{"sex":1.5}', 'sex')
  end)

  it('is a name that no search would find', function()
    refused('{"name":""}', 'name')
    refused('{"name":"1002"}', 'name')
    refused('{"name":"a|b"}', 'name')
    refused('{"name":"' .. string.rep('x', 65) .. '"}', 'name')
  end)

  it('is more fields than a profile has room for', function()
    local fields = {}
    for i = 1, 128 do
      fields[i] = '"f' .. i .. '":"x"'
    end
    local all = '{' .. table.concat(fields, ',') .. '}'
    put(all)
    assert.same({ old = {}, new = {} }, put(all))
    assert.same({ error = 'fields' }, put('{"one":"more"}'))
  end)

  it('is any field of a user who is being erased', function()
    run('erase', { uid = '1001' })
    assert.same({ error = 'erasing' }, put('{"nick":"A"}'))
    run('erase_rest', { uid = '1001' })
    assert.same({ old = {}, new = { nick = 'A' } }, put('{"nick":"A"}'))
    assert.equal(-1, redis.call('PTTL', key('user', '1001')))
    assert.same({ nick = 'A', ['|stale'] = stale }, read(key('user', '1001')))
  end)
end)

describe('a name', function()
  it('is written within half a minute after it was claimed', function()
    local at = run('claim_name', { uid = 'ada', who = '1001' }).reply.json.at
    assert.same({ error = 'late' }, put('{"name":"ada"}'))
    clock.advance(30001)
    assert.same({ error = 'late' }, put('{"name":"ada"}', at))
    clock.advance(-1)
    assert.same({ old = {}, new = { name = 'ada' } }, put('{"name":"ada"}', at))
  end)

  it('that changes is answered, with its claim, so that it is released', function()
    put_name('ada')
    local claim = redis.call('HGET', key('user', '1001'), '|claim')
    assert.same({ old = { name = 'ada' }, new = { name = 'eve' }, former = 'ada', claim = claim }, put_name('eve'))
  end)

  it('is answered once more where the answer was lost', function()
    put_name('ada')
    put_name('eve')
    local again = put_name('eve')
    assert.equal('ada', again.former)
    run('release_name', { uid = 'ada', peer = '1001', since = again.claim })
    assert.is_nil(read(key('name', 'ada')))
  end)

  it('that the user took back meanwhile is not released', function()
    put_name('ada')
    local left = put_name('eve')
    put_name('ada')
    assert.equal('kept', run('release_name', { uid = 'ada', peer = '1001', since = left.claim }).reply.json.outcome)
  end)

  it('is removed by null', function()
    put_name('ada')
    local gone = put('{"name":null}')
    assert.same({}, gone.new)
    assert.equal('ada', gone.former)
    assert.is_nil(redis.call('HGET', key('user', '1001'), '|claim') or nil)
  end)

  it('that was written by others, without a claim, is released whichever it is', function()
    redis.call('HSET', key('user', '1001'), 'name', 'ada')
    local changed = put_name('eve')
    assert.equal('ada', changed.former)
    assert.equal('', changed.claim)
  end)
end)
