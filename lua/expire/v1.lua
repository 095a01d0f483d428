-- expire v1: the node or the reaper ends a session: compare-and-remove by sid, never a newer holder.
--
-- @since 0.1.0
-- @mode write
-- @key seat hash who holds the seats of the user
-- @key ticket hash the tickets of the user, two slots per class
-- @key roster zset all sessions of the shard, ordered by node
-- @key trail list the last events of the user's seats
-- @arg node text node of the session
-- @arg incarnation int incarnation of that node
-- @arg sid text the session
-- @arg uid text the user
-- @arg class text its device class
-- @arg reason text expired (silent too long) or reaped (its node died)
-- @arg trail_max int events kept
-- @arg version text this script's name and version
-- @effect reply the outcome: the reason, ended, never or moved
-- @include now_ms
-- @include end_session
local seat_key, ticket_key, roster_key, trail_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local node, incarnation, sid, uid, class = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local reason, trail_max, version = ARGV[6], ARGV[7], ARGV[8]

local outcome = end_session({ seat = seat_key, ticket = ticket_key, roster = roster_key, trail = trail_key }, {
  node = node, incarnation = incarnation, sid = sid, uid = uid, class = class, trail_max = trail_max, version = version,
}, reason, now_ms())
return { 1, { 'reply', 0, cjson.encode({ outcome = outcome }) } }
