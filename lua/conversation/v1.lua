-- conversation v1: a user pins a conversation, or has it out of sight until the next text.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key talks hash with whom the user talked, and when
-- @arg sid text the session
-- @arg class text its device class
-- @arg body text 1110: touid, pined and deleted: true or false (or 1 and 0); what is left out stays
-- @effect reply 1111: touid, pined, deleted
-- @effect verify the session does not hold its seat
-- @include is_seated
-- @include read_body
-- @include uid_in
local seat_key, talks_key = KEYS[1], KEYS[2]
local sid, class, body = ARGV[1], ARGV[2], ARGV[3]

local function refusal(code, reason)
  return { 1, { 'reply', 1111, '{"error":' .. code .. ',"reason":"' .. reason .. '"}' } }
end

-- 1. Guard.
if not is_seated(seat_key, class, sid) then
  return { 1, { 'verify' } }
end
local choice = { [true] = 1, [false] = 0, [1] = 1, [0] = 0 }
local fields = read_body(body)
local peer, pined, deleted = uid_in(fields.touid), choice[fields.pined], choice[fields.deleted]
if not peer or fields.pined ~= nil and not pined or fields.deleted ~= nil and not deleted then
  return refusal(1001, 'field')
end
local times, flags = string.match(redis.call('HGET', talks_key, peer) or '', '^(%d+|%d+|)(%l*)$')
if not times then
  return refusal(1102, 'no_conversation')
end

-- 2. Write.
pined = pined or string.find(flags, 'p') and 1 or 0
deleted = deleted or string.find(flags, 'd') and 1 or 0
redis.call('HSET', talks_key, peer, times .. string.rep('d', deleted) .. string.rep('p', pined))
return { 1, { 'reply', 1111, string.format('{"error":0,"touid":%s,"pined":%d,"deleted":%d}', peer, pined, deleted) } }
