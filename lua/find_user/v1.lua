-- find_user v1: the part of a search that runs on the shard of the user who is looked for.
--
-- Only public fields are told. Who has a profile or a ticket is known; a seat alone is what an erased user leaves behind
-- for an hour. A name that was claimed, but is not in the profile, is nobody's yet, or no more.
--
-- @since 0.1.0
-- @mode read
-- @key user hash profile of the user
-- @key ticket hash the tickets of the user, two slots per class
-- @arg uid text the user
-- @arg note text the name that was looked for; empty where it was the uid
-- @effect reply 1008
-- @include wire_uid
local user_key, ticket_key = KEYS[1], KEYS[2]
local uid, note = ARGV[1], ARGV[2]

local fields = redis.call('HMGET', user_key, 'name', 'nick', 'icon', 'desc', 'sex', '|erasing')
local is_known = redis.call('EXISTS', user_key, ticket_key) > 0 and not fields[6]
if not is_known or note ~= '' and fields[1] ~= note then
  return { 1, { 'reply', 1008, cjson.encode({ error = 1011 }) } }
end
local function text(position)
  return cjson.encode(fields[position] or '')
end
local sex = string.match(fields[5] or '', '^%d%d?%d?$') or '0'
return { 1, { 'reply', 1008, string.format('{"error":0,"uid":%s,"name":%s,"nick":%s,"icon":%s,"desc":%s,"sex":%d}',
  wire_uid(uid), text(1), text(2), text(3), text(4), sex) } }
