-- Whose sessions stand in the roster.

local function enter(...)
  for _, entry in ipairs({ ... }) do
    redis.call('ZADD', key('roster'), 0, entry)
  end
end

-- All owners, as `node#incarnation`, and how many pages they took.
local function owners(page_max)
  local found, cursor, pages = {}, '', 0
  repeat
    local e = run('owners', { cursor = cursor, page_max = page_max })
    assert.effects('reply', e)
    for _, owner in ipairs(e.reply.json.owners) do
      found[#found + 1] = owner.node .. '#' .. string.format('%.0f', owner.incarnation)
    end
    cursor, pages = e.reply.json.cursor, pages + 1
  until cursor == ''
  return found, pages
end

describe('the owners', function()
  it('are none where there are no sessions', function()
    assert.same({}, owners())
  end)

  it('are each named once, whatever they hold', function()
    enter('n1#1700000000000|1|main|a', 'n1#1700000000000|2|main|b', 'n1#1700000000001|3|main|c',
      'n10#1700000000000|4|main|d', 'n-1#5|5|main|e', 'N#1700000000000|6|main|f', 'n1#1700000000000|~|phone|g')
    assert.same({ 'N#1700000000000', 'n-1#5', 'n1#1700000000000', 'n1#1700000000001', 'n10#1700000000000' }, owners())
  end)

  it('come in pages, and the last one says that it is', function()
    for n = 1, 7 do
      enter('n' .. n .. '#1700000000000|1|main|a', 'n' .. n .. '#1700000000000|2|main|b')
    end
    local found, pages = owners(3)
    assert.equal(3, pages)
    assert.equal(7, #found)
    assert.equal('n7#1700000000000', found[7])
    found, pages = owners(7)
    assert.same({ 7, 2 }, { #found, pages })
  end)

  it('that an entry without one stands between are found all the same', function()
    enter('garbage', 'garbage too', 'n1#1700000000000|1|main|a', 'n1#x|1|main|a', 'zzz')
    assert.same({ 'n1#1700000000000' }, owners())
    assert.same({ 'n1#1700000000000' }, owners(1))
  end)

  it('are those that logged in', function()
    run('ticket', { uid = '1', class = 'main', token_digest = 'aa' })
    run('login', { uid = '1', sid = sid(1), token_digest = 'aa', address = 'a:1', node = 'n3', incarnation = 1700000000009 })
    assert.same({ 'n3#1700000000009' }, owners())
  end)
end)
