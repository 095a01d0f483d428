-- owners v1: a page of whose sessions stand in the roster: every incarnation of every node that has any.
--
-- It jumps from one range to the next, so it costs the same however many sessions there are.
--
-- @since 0.1.0
-- @mode read
-- @key roster zset all sessions of the shard, ordered by node
-- @arg cursor text where the page before ended, empty at the start
-- @arg page_max int most owners of this page
-- @effect reply owners, by node and incarnation, and the cursor of the next page (empty: this was the last)
local roster_key = KEYS[1]
local cursor, page_max = ARGV[1], ARGV[2]

local owners, at, is_last = {}, cursor, false
for _ = 1, tonumber(page_max) do
  local entry = redis.call('ZRANGEBYLEX', roster_key, at == '' and '-' or '(' .. at, '+', 'LIMIT', 0, 1)[1]
  is_last = not entry
  if is_last then
    break
  end
  local node, incarnation = string.match(entry, '^(.-)#(%d+)|')
  if node then
    owners[#owners + 1] = cjson.encode({ node = node, incarnation = tonumber(incarnation) })
  end
  -- What stands for no session is passed over; a session's range ends before `}`, which follows `|`.
  at = node and node .. '#' .. incarnation .. '}' or entry
end
return { 1, { 'reply', 0, '{"owners":[' .. table.concat(owners, ',') .. '],"cursor":' .. cjson.encode(is_last and '' or at) .. '}' } }
