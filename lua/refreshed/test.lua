-- Copies of a profile are known to be out of date until friends have them.

local function put(body)
  return run('put_profile', { uid = '1001', body = body }).reply.json
end

local function refreshed(since)
  local e = run('refreshed', { uid = '1001', since = since })
  assert.effects('reply', e)
  return e.reply.json
end

it('what was written last is fresh once friends have it', function()
  local stale = put('{"nick":"A"}').stale
  assert.same({ outcome = 'fresh' }, refreshed(stale))
  assert.is_nil(put('{"nick":"A"}').stale)
end)

it('what was written meanwhile is told', function()
  local first = put('{"nick":"A"}').stale
  local second = put('{"nick":"B"}').stale
  assert.same({ outcome = 'newer', stale = second, public = { nick = 'B' } }, refreshed(first))
  assert.same({ outcome = 'fresh' }, refreshed(second))
  assert.same({ outcome = 'newer', stale = '', public = { nick = 'B' } }, refreshed(first))
end)
