-- The node's side of verify: what the roster says about it, of any incarnation (protocol rule 6).

local function login(uid, n, more)
  run('ticket', { uid = uid, class = 'main', token_digest = 'aa' })
  local arguments = { uid = uid, sid = sid(n), token_digest = 'aa', address = 'a:1' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  run('login', arguments)
end

local function sessions(cursor, page_max)
  local e = run('sessions', { node = 'n1', cursor = cursor or '', page_max = page_max })
  assert.effects('reply', e)
  return e.reply.json
end

describe('the sessions of a node', function()
  it('are none on an empty roster', function()
    assert.same({ entries = {}, cursor = '' }, sessions())
  end)

  it('are those of its own and older incarnations and of no other node', function()
    login('1', 1)
    login('2', 2, { incarnation = '1699999995000' })
    login('5', 5, { incarnation = '1700000005000' })
    login('3', 3, { node = 'n10' })
    login('4', 4, { node = 'n' })
    assert.same({
      { incarnation = 1699999995000, uid = '2', class = 'main', sid = sid(2) },
      { incarnation = 1700000000000, uid = '1', class = 'main', sid = sid(1) },
    }, sessions().entries)
  end)

  it('come in pages that miss nobody who stays, although others leave between them', function()
    for n = 1, 7 do
      login(tostring(n), n)
    end
    local seen, cursor = {}, ''
    repeat
      local page = sessions(cursor, 2)
      for _, entry in ipairs(page.entries) do
        seen[#seen + 1] = entry.uid
      end
      cursor = page.cursor
      run('logout', { uid = '1', sid = sid(1) })
      run('logout', { uid = '4', sid = sid(4) })
    until cursor == ''
    assert.equal('1 2 3 5 6 7', table.concat(seen, ' '))
  end)

  it('end when the last page is exactly full', function()
    login('1', 1)
    login('2', 2)
    local cursor = sessions('', 2).cursor
    assert.not_equal('', cursor)
    assert.same({ entries = {}, cursor = '' }, sessions(cursor, 2))
  end)
end)
