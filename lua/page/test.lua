-- The next page of a list that did not fit into the answer of a login.

local ME = '1002'

local function page(body, more)
  local arguments = { uid = ME, sid = sid(1), class = 'main', body = body }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('page', arguments)
end

before_each(function()
  redis.call('HSET', key('seat', ME), 'main:sid', sid(1))
  for n = 1, 30 do
    redis.call('HSET', key('friends', ME), n, '{"uid":' .. n .. ',"name":"' .. string.rep('f', 100) .. '"}')
    redis.call('HSET', key('applies', ME), 100 + n,
      '{"uid":' .. 100 + n .. ',"name":"' .. string.rep('a', 100) .. '","back":"b"}')
  end
  redis.call('HSET', key('friends', ME), '31', '~{"uid":31}', '|watch|9', '1')
end)

local function pages(list, body_max)
  local uids, cursor, count = {}, '', 0
  repeat
    local e = page('{"list":"' .. list .. '","after":"' .. cursor .. '"}', { body_max = body_max })
    assert.effects({ { name = 'reply', id = 1105, json = { error = 0, list = list } } }, e)
    assert.is_true(#e.reply.body <= body_max)
    for _, item in ipairs(e.reply.json[list]) do
      uids[#uids + 1] = item.uid
    end
    cursor, count = e.reply.json.more, count + 1
  until not cursor
  return uids, count
end

describe('a page', function()
  it('goes on where the one before ended, in the order of uids', function()
    for list, first in pairs({ friend_list = 1, apply_list = 101 }) do
      local uids, count = pages(list, 2048)
      assert.is_true(count >= 3)
      local expected = {}
      for n = first, first + 29 do
        expected[#expected + 1] = n
      end
      assert.same(expected, uids)
    end
  end)

  it('may be the only one, and begin at the start', function()
    local reply = page('{"list":"apply_list"}').reply.json
    assert.equal(30, #reply.apply_list)
    assert.is_nil(reply.more)
    assert.is_nil(reply.apply_list[1].back)
    reply = page('{"list":"friend_list","after":"999"}').reply.json
    assert.same({ error = 0, list = 'friend_list', friend_list = {} }, reply)
  end)

  it('is that of who holds the seat', function()
    assert.effects('verify', page('{"list":"friend_list"}', { sid = sid(2) }))
  end)

  it('is refused where no list is named', function()
    for _, body in ipairs({ '', '[]', '{}', '{"list":"x"}', '{"list":7}', '{"list":"friend_list","after":7}' }) do
      assert.effects({ { name = 'reply', id = 1105, json = { error = 1001, reason = 'field' } } }, page(body))
    end
  end)
end)
