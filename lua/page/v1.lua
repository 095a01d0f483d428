-- page v1: the next page of a list that did not fit into the answer of a login.
--
-- @since 0.1.0
-- @mode read
-- @key seat hash who holds the seats of the user
-- @key friends hash what the user has agreed with others
-- @key applies hash open applications to the user
-- @arg sid text the session
-- @arg class text its device class
-- @arg body text 1104: list (friend_list or apply_list), after: where the page before ended
-- @arg body_max int largest body of a frame
-- @effect reply 1105: list, its elements under its name, more: where the next page goes on
-- @effect verify the session does not hold its seat
-- @include is_seated
-- @include read_body
-- @include read_hash
-- @include list_elements
-- @include list_part
local seat_key, friends_key, applies_key = KEYS[1], KEYS[2], KEYS[3]
local sid, class, body, body_max = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if not is_seated(seat_key, class, sid) then
  return { 1, { 'verify' } }
end
local fields = read_body(body)
local list, after, most = fields.list, fields.after or '', tonumber(body_max) - 256
if list ~= 'friend_list' and list ~= 'apply_list' or type(after) ~= 'string' then
  return { 1, { 'reply', 1105, '{"error":1001,"reason":"field"}' } }
end
local elements = list_elements(list, read_hash(list == 'friend_list' and friends_key or applies_key))
local page, cursor = list_part(elements, after, most, most)
local more = cursor and ',"more":' .. cjson.encode(cursor) or ''
local head = '{"error":0,"list":"' .. list .. '","' .. list .. '":['
return { 1, { 'reply', 1105, head .. table.concat(page, ',') .. ']' .. more .. '}' } }
