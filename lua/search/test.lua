-- Whoever is logged in finds others by uid or exact name, and is always answered.

local function search(body, n)
  return run('search', { uid = '1001', sid = sid(n or 1), class = 'main', body = body })
end

-- The whole way of a search, over the shards.
local function found(body)
  local e = search(body)
  while e.call do
    e = follow(e.call)
  end
  assert.effects('reply', e)
  assert.equal(1008, e.reply.id)
  return e.reply.json
end

before_each(function()
  run('ticket', { uid = '1001', class = 'main', token_digest = 'aa' })
  run('login', { uid = '1001', sid = sid(1), token_digest = 'aa', address = 'a:1' })
  local claim = run('claim_name', { uid = 'ada', who = '1002' }).reply.json.at
  run('put_profile', { uid = '1002', since = claim, body = [[{"name":"ada","nick":"A","icon":"a.png","desc":"hi","sex":1,
    "email":"ada@example.org","pwd":"secret"}]] })
end)

describe('a search', function()
  it('by digits asks for the user of that uid', function()
    assert.effects({ { name = 'call', script = 'find_user', uid = '1002' } }, search('{"uid":"1002"}'))
    assert.equal(1002, found('{"uid":"1002"}').uid)
  end)

  it('by anything else asks the shard of that name', function()
    assert.effects({ { name = 'call', script = 'find_name', uid = 'ada' } }, search('{"uid":"ada"}'))
    assert.equal(1002, found('{"uid":"ada"}').uid)
    assert.same({ error = 1011 }, found('{"uid":"Ada"}'))
    assert.same({ error = 1011 }, found('{"uid":"ad"}'))
  end)

  it('shows neither pwd nor email, by uid and by name (defect 46)', function()
    local public = { error = 0, uid = 1002, name = 'ada', nick = 'A', icon = 'a.png', desc = 'hi', sex = 1 }
    assert.same(public, found('{"uid":"1002"}'))
    assert.same(public, found('{"uid":"ada"}'))
  end)

  it('for an empty text or more digits than a uid has finds nobody (defect 42)', function()
    assert.same({ error = 1011 }, found('{"uid":""}'))
    assert.same({ error = 1011 }, found('{"uid":"2147483648"}'))
    assert.same({ error = 1011 }, found('{"uid":"99999999999999999999999999"}'))
    assert.same({ error = 1011 }, found('{"uid":"' .. string.rep('9', 64) .. '"}'))
    assert.same({ error = 1011 }, found('{"uid":"' .. string.rep('9', 65) .. '"}'))
  end)

  it('for something that is no text is refused (defect 42)', function()
    for _, body in ipairs({ '', '{}', '[]', '{"uid":1002}', '{"uid":null}', '{"uid":["1002"]}', 'null', '"1002"' }) do
      assert.same({ error = 1001, reason = 'field' }, found(body), body)
    end
  end)

  it('for a text that can be no name finds nobody', function()
    local texts = { 'a|b', 'a#b', '{a', 'a}', 'a\\nb', '\\u0000', '\\u007f', '\\u0080', '\\u009f' }
    for _, text in ipairs(texts) do
      assert.same({ error = 1011 }, found('{"uid":"' .. text .. '"}'), text)
      assert.effects('reply', search('{"uid":"' .. text .. '"}'))
    end
    assert.effects('call', search('{"uid":"\\u00a0\\u5f20 \'; --"}'))
  end)

  it('of a session that the store does not know has it verified', function()
    assert.effects('verify', search('{"uid":"ada"}', 2))
    run('logout', { uid = '1001', sid = sid(1) })
    assert.effects('verify', search('{"uid":"ada"}'))
  end)
end)
