-- welcome v1: answer a login with all that a user needs: profile, messages that came meanwhile, applications, friends.
--
-- What is empty is left out. What does not fit into a frame follows: lists by their cursor in `more` (`page`), messages
-- as frames, once the position of this answer, its `id`, is acknowledged. Run again it answers the same. A session that
-- was displaced since it took its seat is answered that it did, and its kick follows: the messages are another's now.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key user hash profile of the user
-- @key friends hash what the user has agreed with others
-- @key applies hash open applications to the user
-- @key inbox list messages that the user has not got yet
-- @key delivery hash how far the user's sessions have got
-- @key talks hash with whom the user talked, and when
-- @arg uid text the user
-- @arg sid text the session that logged in
-- @arg class text its device class
-- @arg epoch int epoch that it was given
-- @arg interval_ms int heartbeat interval, told to the client
-- @arg limit_ms int heartbeat limit, told to the client
-- @arg body_max int largest body of a frame
-- @effect reply 1006, and the position up to which messages are in it
-- @include is_seated
-- @include now_ms
-- @include public_profile
-- @include login_reply
-- @include read_hash
-- @include drop_expired
-- @include unread_part
-- @include list_elements
-- @include list_part
-- @include talk_items
local seat_key, user_key, friends_key, applies_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local inbox_key, delivery_key, talks_key = KEYS[5], KEYS[6], KEYS[7]
local uid, sid, class, epoch = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local interval_ms, limit_ms, body_max = ARGV[5], ARGV[6], ARGV[7]

-- 1. Read, and guard.
local now, most = now_ms(), tonumber(body_max)
local seated = { epoch = tonumber(epoch), resumed = redis.call('HGET', seat_key, class .. ':how') == 'resumed' }
local base = login_reply(uid, sid, class, seated, interval_ms, limit_ms, public_profile(user_key))
if #base > most - 512 then
  base = login_reply(uid, sid, class, seated, interval_ms, limit_ms, '')
end
if not is_seated(seat_key, class, sid) then
  return { 1, { 'reply', 1006, base } }
end
local friends, talks, delivery = read_hash(friends_key), read_hash(talks_key), read_hash(delivery_key)
local applies = list_elements('apply_list', read_hash(applies_key))

-- 2. Share out the frame: messages get at most a half of it, applications and conversations a quarter each of the rest,
-- friends what is left.
local room, parts, more = most - #base - 512, { string.sub(base, 1, -2) }, {}

local function add(name, items)
  if items[1] then
    parts[#parts + 1] = ',"' .. name .. '":[' .. table.concat(items, ',') .. ']'
    room = room - #parts[#parts]
  end
end

drop_expired(inbox_key, delivery, now)
local unread, notices, position = unread_part(inbox_key, uid, math.min(room, most / 2), now)
add('unread_messages', unread)
local page, cursor = list_part(applies, '', room / 4, most - 256)
more[1] = cursor and '"apply_list":' .. cjson.encode(cursor)
add('apply_list', page)
add('notifications', notices)
add('conversations', talk_items(uid, talks, friends, room / 4))
page, cursor = list_part(list_elements('friend_list', friends), '', room, most - 256)
more[#more + 1] = cursor and '"friend_list":' .. cjson.encode(cursor)
add('friend_list', page)
if position > 0 then
  parts[#parts + 1] = string.format(',"id":%.0f', position)
end
if more[1] then
  parts[#parts + 1] = ',"more":{' .. table.concat(more, ',') .. '}'
end

-- 3. This session goes on from here.
redis.call('HSET', delivery_key, class .. ':sid', sid, class .. ':sent', position, 'bytes', delivery.bytes,
  'due', delivery.due)
return { 1, { 'reply', 1006, table.concat(parts) .. '}', position } }
