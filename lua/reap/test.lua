-- What older incarnations of a node left behind is removed page by page, one call per session.

local OLD, NEW = '1700000000000', '1700000005000'

local function login(uid, n, more)
  run('ticket', { uid = uid, class = 'main', token_digest = 'aa' })
  local arguments = { uid = uid, sid = sid(n), token_digest = 'aa', address = 'a:1', incarnation = OLD }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('login', arguments)
end

local function reap(cursor, page_max)
  return run('reap', { node = 'n1', incarnation = NEW, cursor = cursor or '', page_max = page_max })
end

local function calls(e)
  local found = {}
  for _, effect in ipairs(e) do
    if effect.name == 'call' then
      found[#found + 1] = effect
    end
  end
  return found
end

describe('a reap', function()
  it('finds nothing on an empty roster', function()
    local e = reap()
    assert.effects('reply', e)
    assert.equal('', e.reply.json.cursor)
  end)

  it('asks for the end of every session of an older incarnation', function()
    login('1', 1)
    local e = reap()
    assert.effects('call reply', e)
    assert.equal('expire', e.call.script)
    assert.equal('1', e.call.uid)
    assert.same({ node = 'n1', incarnation = OLD, class = 'main', sid = sid(1), reason = 'reaped' }, e.call.args)
  end)

  it('leaves the living incarnation and other nodes alone', function()
    login('1', 1, { incarnation = NEW })
    login('2', 2, { node = 'n10' })
    login('3', 3, { node = 'n' })
    assert.effects('reply', reap())
  end)

  it('leaves no ghost and an exact count when its calls are carried out (G4, G5)', function()
    for n = 1, 7 do
      login(tostring(n), n)
    end
    login('8', 8, { incarnation = NEW })
    for _, call in ipairs(calls(reap())) do
      assert.equal('reaped', follow(call).reply.json.outcome)
    end
    assert.equal(0, run('count', { node = 'n1', incarnation = OLD }).reply.json.count)
    assert.equal(1, run('count', { node = 'n1', incarnation = NEW }).reply.json.count)
    assert.equal(1, redis.call('ZCARD', key('roster')))
  end)

  it('goes on where the page before ended, also when that page was carried out meanwhile', function()
    for n = 1, 7 do
      login(tostring(n), n)
    end
    local seen, cursor, pages = {}, '', 0
    repeat
      local e = reap(cursor, 3)
      for _, call in ipairs(calls(e)) do
        assert.is_nil(seen[call.uid])
        seen[call.uid] = true
        follow(call)
      end
      cursor, pages = e.reply.json.cursor, pages + 1
    until cursor == ''
    assert.equal(3, pages)
    for n = 1, 7 do
      assert.is_true(seen[tostring(n)], tostring(n))
    end
  end)

  it('ends when the last page is exactly full', function()
    for n = 1, 6 do
      login(tostring(n), n)
    end
    local cursor = reap(reap('', 3).reply.json.cursor, 3).reply.json.cursor
    assert.not_equal('', cursor)
    local last = reap(cursor, 3)
    assert.effects('reply', last)
    assert.equal('', last.reply.json.cursor)
  end)

  it('never touches a session that logged in again on the new incarnation (G3)', function()
    login('1', 1)
    local stale = calls(reap())
    run('login', { uid = '1', sid = sid(2), token_digest = 'aa', address = 'a:2', incarnation = NEW })
    for _, call in ipairs(stale) do
      assert.equal('ended', follow(call).reply.json.outcome)
    end
    assert.equal(sid(2), run('lookup', { uid = '1' }).reply.json.seats[1].sid)
    assert.equal(1, run('count', { node = 'n1', incarnation = NEW }).reply.json.count)
  end)

  it('carried out twice changes nothing more (G12)', function()
    login('1', 1)
    local page = calls(reap())
    follow(page[1])
    local before = state()
    assert.equal('ended', follow(page[1]).reply.json.outcome)
    assert.same(before, state())
  end)

  it('reads entries of odd users rightly', function()
    login('a b', 1)
    login('é', 2)
    local found = {}
    for _, call in ipairs(calls(reap())) do
      found[call.uid] = call.args.sid
    end
    assert.same({ ['a b'] = sid(1), ['é'] = sid(2) }, found)
  end)
end)
