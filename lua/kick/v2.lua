-- kick v2: an operator or the backend takes a user off line and voids the tickets, used or not.
--
-- @since 0.1.0
-- @mode write
-- @key seat hash who holds the seats of the user
-- @key ticket hash the tickets of the user, two slots per class
-- @key roster zset all sessions of the shard, ordered by node
-- @key trail list the last events of the user's seats
-- @key presence zset users of the shard of whom something has yet to be told
-- @key events stream what happened to the seats of the shard
-- @key friends hash what the user has agreed with others
-- @arg uid text the user
-- @arg class text device class, or empty for all
-- @arg note text a sentence for the client and the trail, may be empty
-- @arg channel_prefix text what the channel of a node starts with
-- @arg trail_max int events kept
-- @arg version text this script's name and version
-- @arg grace_ms int how long a user may be away before friends are told
-- @arg events_max int events of the shard that are kept
-- @effect kick each session that was taken off line
-- @effect reply the sessions that were kicked
-- @include now_ms
-- @include read_hash
-- @include vacate_seat
-- @include add_trail
-- @include void_tickets
-- @include wire_uid
-- @include send_kick
-- @include held_seats
-- @include add_event
-- @include note_departure
-- @change v2 notes that friends have to be told, where no seat of the user is held any more, and events for the backends.
local seat_key, ticket_key, roster_key, trail_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local presence_key, events_key, friends_key = KEYS[5], KEYS[6], KEYS[7]
local uid, class, note, channel_prefix, trail_max, version = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local grace_ms, events_max = ARGV[7], ARGV[8]

-- 1. Read: which classes are meant, and which of them are held. A reaped session may live on and would be seated
-- again by verify, so it counts as a holder here.
local now = now_ms()
local seat, ticket = read_hash(seat_key), read_hash(ticket_key)
local was_held, held = #held_seats(seat) > 0, {}
for field in pairs(seat) do
  local name = string.match(field, '^(.+):sid$')
  if name and (class == '' or class == name) and (holder_of(seat, name) or seat[name .. ':end'] == 'reaped') then
    held[#held + 1] = name
  end
end
table.sort(held)

-- 2. Write: no ticket opens the seat any more, nobody holds it, each holder is told.
void_tickets(ticket_key, ticket, class, now)
local effects, kicked = { 1 }, {}
for _, name in ipairs(held) do
  local sid, node = seat[name .. ':sid'], seat[name .. ':node']
  vacate_seat(seat_key, seat, ticket_key, ticket, roster_key, uid, name, 'kicked', now)
  add_trail(trail_key, trail_max, now, 'kicked', name, sid, node, seat[name .. ':address'], version, note)
  add_event(events_key, events_max, 'kicked', uid, name, sid, node, now, version)
  local body = string.format('{"error":0,"uid":%s,"reason":"kicked","at":%.0f,"epoch":%s,"note":%s,"script":"%s"}',
    wire_uid(uid), now, seat[name .. ':epoch'], cjson.encode(note), version)
  effects[#effects + 1] = send_kick(channel_prefix, node, sid, 'kicked', 1021, body)
  kicked[#kicked + 1] = cjson.encode({ class = name, sid = sid, node = node })
end
redis.call('PEXPIRE', trail_key, 2592000000)
let_expire(seat_key, seat, ticket_key, ticket, now)
if was_held and #held_seats(seat) == 0 and redis.call('EXISTS', friends_key) == 1 then
  note_departure(presence_key, uid, grace_ms, now)
end
effects[#effects + 1] = { 'reply', 0, '{"kicked":[' .. table.concat(kicked, ',') .. ']}' }
return effects
