-- What waits for a user, as the backend sees it.

local ME = '1002'

local function page(cursor, page_max)
  local e = run('inbox', { uid = ME, cursor = cursor or '', page_max = page_max })
  assert.effects({ { name = 'reply', id = 0 } }, e)
  return e.reply.json
end

describe('an inbox', function()
  it('may be empty', function()
    assert.same({ count = 0, entries = {}, cursor = '' }, page())
  end)

  it('has texts and notifications, the oldest first', function()
    local texts = '{"content":"a|b","msgid":"1"},{"content":"c","msgid":"2"}'
    redis.call('RPUSH', key('inbox', ME), '1700000000001|t|1001|1700000000000|1800000000000|' .. texts, 'no entry',
      '1700000000002|n|9|1700000000000|1800000000000|{"uid":9,"type":1001,"message":"m","time":7}')
    assert.same({
      count = 3, cursor = '', entries = {
        { id = 1700000000001, from = '1001', at = 1700000000000, ['until'] = 1800000000000,
          texts = { { content = 'a|b', msgid = '1' }, { content = 'c', msgid = '2' } } },
        { id = 1700000000002, from = '9', at = 1700000000000, ['until'] = 1800000000000,
          notification = { uid = 9, type = 1001, message = 'm', time = 7 } },
      },
    }, page())
  end)

  it('comes in pages', function()
    for n = 1, 250 do
      redis.call('RPUSH', key('inbox', ME), n .. '|t|1001|1|2|{"content":"a","msgid":"' .. n .. '"}')
    end
    local seen, cursor, pages = 0, '', 0
    repeat
      local reply = page(cursor, 50)
      for _, entry in ipairs(reply.entries) do
        seen = seen + 1
        assert.equal(seen, entry.id)
      end
      cursor, pages = reply.cursor, pages + 1
    until cursor == ''
    assert.equal(250, seen)
    assert.equal(5, pages)
  end)
end)
