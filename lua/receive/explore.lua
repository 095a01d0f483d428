-- Texts of two senders that are sent again while the inbox is small, and run out: each is kept once, those of one sender
-- in order, and what is said of them is true.

local ME = '1002'
local memory

local function send(peer, msgid, more)
  local body = '{"text_array":[{"content":"x","msgid":"' .. msgid .. '"}]}'
  local arguments = { uid = ME, peer = peer, body = body, inbox_ttl_ms = 5000, dedup_ms = 60000 }
  for name, value in pairs(more) do
    arguments[name] = value
  end
  local reply = run('receive', arguments).reply.json
  local result = reply.results[1].result
  -- One whose first reply was lost is heard to be a duplicate.
  if result ~= 'full' and not memory.accepted[peer .. msgid] then
    memory.accepted[peer .. msgid] = clock.now()
  end
  assert.equal(result == 'full' and 1106 or 0, reply.error)
end

local function check(is_roomy)
  local bytes, last, place, newest = 0, 0, {}, {}
  for _, entry in ipairs(read(key('inbox', ME)) or {}) do
    local id, from, msgid = string.match(entry, '^(%d+)|t|(%d+)|.*"msgid":"(%a)"')
    assert(tonumber(id) > last, 'the inbox is in order')
    assert(not place[from .. msgid], 'a text stands in the inbox once')
    assert(not is_roomy or msgid > (newest[from] or ''), 'texts of one sender are in order')
    bytes, last, place[from .. msgid], newest[from] = bytes + #entry, tonumber(id), true, msgid
  end
  -- A list that ran out as a whole is forgotten by the next who comes.
  assert(last == 0 or bytes == tonumber(read(key('delivery', ME)).bytes), 'the bytes are those of the inbox')
  return place
end

local function play(more)
  memory = { accepted = {} }
  redis.call('HSET', key('friends', ME), '7', '{"uid":7,"since":1}', '8', '{"uid":8,"since":1}')
  redis.call('HSET', key('user', ME), 'name', 'me')
  local covered = explore{
    memory = memory, crash = true,
    check = function()
      local place = check(not next(more))
      for text, at in pairs(memory.accepted) do
        local is_over = clock.now() >= at + 5000 or more.inbox_full == 'drop'
        assert(place[text] or is_over, 'G10: ' .. text .. ' was accepted, and is gone')
      end
    end,
    steps = {
      { name = 'text a of 7', by = 's7', function() send('7', 'a', more) end },
      { name = 'text b of 7', by = 's7', after = 'text a of 7', function() send('7', 'b', more) end },
      { name = 'text a of 7 once more', by = 's7', after = 'text a of 7', function() send('7', 'a', more) end },
      { name = 'text a of 8', by = 's8', function() send('8', 'a', more) end },
      { name = 'text b of 8', by = 's8', after = 'text a of 8', function() send('8', 'b', more) end },
      { name = 'time passes', function() clock.advance(3000) end },
      { name = 'more time passes', function() clock.advance(3000) end },
    },
  }
  assert(covered.states >= 200, 'only ' .. covered.states .. ' states: do the steps still happen?')
end

it('an inbox with room keeps each text once', function()
  play({})
end)

it('a small inbox refuses, and loses nothing', function()
  play({ inbox_max = 2 })
end)

it('a small inbox that drops keeps the last ones', function()
  play({ inbox_max = 2, inbox_full = 'drop' })
end)
