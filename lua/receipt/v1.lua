-- receipt v1: a session has shown its user everything up to a message: that leaves the inbox, and what waited follows.
--
-- Whoever carries the session says so after the frame was written, unless the client acknowledges by itself. Only the
-- session whose turn it is counts, and only for what it was sent.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key inbox list messages that the user has not got yet
-- @key delivery hash how far the user's sessions have got
-- @arg uid text the user
-- @arg sid text the session
-- @arg class text its device class
-- @arg body text 1102: id of the last message that was shown
-- @arg channel_prefix text what the channel of a node starts with
-- @effect reply 1103
-- @effect verify another session holds the seat
-- @include read_body
-- @include uid_in
-- @include read_hash
-- @include now_ms
-- @include drop_read
-- @include drop_expired
-- @include push_inbox
local seat_key, inbox_key, delivery_key = KEYS[1], KEYS[2], KEYS[3]
local uid, sid, class, body, channel_prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

-- 1. Guard. A seat that nobody holds does not matter: what was shown was shown.
local seat = redis.call('HMGET', seat_key, class .. ':sid', class .. ':end', class .. ':node')
local holder = not seat[2] and seat[1]
if holder and holder ~= sid then
  return { 1, { 'verify' } }
end
local shown = uid_in(read_body(body).id)
if not shown then
  return { 1, { 'reply', 1103, '{"error":1001,"reason":"field"}' } }
end
local done = { 1, { 'reply', 1103, '{"error":0,"id":' .. shown .. '}' } }
local delivery = read_hash(delivery_key)
if delivery[class .. ':sid'] ~= sid then
  return done
end

-- 2. What was shown leaves the inbox.
local sent, last = tonumber(delivery[class .. ':sent']) or 0, tonumber(delivery.last) or 0
local changes = { 'bytes', drop_read(inbox_key, delivery, math.min(tonumber(shown), sent)) }

-- 3. What waited follows.
if sent < last and holder then
  local now = now_ms()
  drop_expired(inbox_key, delivery, now)
  sent = push_inbox(inbox_key, channel_prefix, { class = class, sid = sid, node = seat[3] }, uid, sent, 32, now)
  changes = { 'bytes', delivery.bytes, 'due', delivery.due, class .. ':sent', sent }
end
redis.call('HSET', delivery_key, unpack(changes))
return done
