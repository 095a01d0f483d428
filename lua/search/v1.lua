-- search v1: a client looks for a user, by uid or by exact name. Every search is answered (1008).
--
-- @since 0.1.0
-- @mode read
-- @key seat hash who holds the seats of the user who searches
-- @arg sid text the session that asks
-- @arg class text its device class
-- @arg body text uid: a text; digits alone are a uid, all else is a name
-- @effect reply 1008, where there can be no such user
-- @effect call find_user, or find_name on the shard of the name
-- @effect verify the store has no trace of the session
-- @include is_seated
-- @include read_body
-- @include is_name
local seat_key = KEYS[1]
local sid, class, body = ARGV[1], ARGV[2], ARGV[3]

if not is_seated(seat_key, class, sid) then
  return { 1, { 'verify' } }
end
local text = read_body(body).uid
if type(text) ~= 'string' then
  return { 1, { 'reply', 1008, cjson.encode({ error = 1001, reason = 'field' }) } }
end
if not is_name(text) then
  return { 1, { 'reply', 1008, cjson.encode({ error = 1011 }) } }
end
return { 1, { 'call', string.find(text, '^%d+$') and 'find_user' or 'find_name', text } }
