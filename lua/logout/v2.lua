-- logout v2: a session ends by itself: compare-and-remove by sid, never a newer holder.
--
-- Also called for a login whose outcome is unknown, until it is confirmed: a sid that never held a seat is noted as
-- ended, so that the login cannot take effect later.
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
-- @arg node text node of the session
-- @arg incarnation int incarnation of that node
-- @arg sid text the session
-- @arg uid text the user
-- @arg class text its device class, or empty where the login's answer was lost
-- @arg trail_max int events kept
-- @arg version text this script's name and version
-- @arg grace_ms int how long a user may be away before friends are told
-- @arg events_max int events of the shard that are kept
-- @effect reply the outcome: left, ended or never
-- @include now_ms
-- @include end_noted
-- @change v2 notes that friends have to be told, where that was the last seat, and an event for the backends.
local seat_key, ticket_key, roster_key, trail_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local presence_key, events_key, friends_key = KEYS[5], KEYS[6], KEYS[7]
local node, incarnation, sid, uid, class, trail_max, version = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local grace_ms, events_max = ARGV[8], ARGV[9]

local keys = {
  seat = seat_key, ticket = ticket_key, roster = roster_key, trail = trail_key, presence = presence_key, events = events_key,
  friends = friends_key,
}
local outcome = end_noted(keys, {
  node = node, incarnation = incarnation, sid = sid, uid = uid, class = class, trail_max = trail_max, version = version,
  grace_ms = grace_ms, events_max = events_max,
}, 'left', now_ms())
return { 1, { 'reply', 0, cjson.encode({ outcome = outcome }) } }
