-- tell v1: a user is told that a friend, or somebody watched, came or went; and says whether he or she is on line.
--
-- A user who left so lately that friends are not told is on line here, too: they will hear nothing of the return.
-- Whoever is told that a friend went while it is being gathered who is on line hears the answers no more: among them may
-- be one that the friend gave before. They are asked again.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key friends hash friends of the user
-- @key user hash profile of the user, for the answer
-- @key presence zset users of the shard of whom something has yet to be told
-- @arg uid text the user who is told
-- @arg peer text the friend who came or went
-- @arg reason text + came, - went, both with watch in front for one who is no friend; empty: only asks
-- @arg body text name and icon of the peer
-- @arg channel_prefix text what the channel of a node starts with
-- @arg not_after int Redis' milliseconds past which nothing is told
-- @effect reply uid, online, and of who is on line name and icon; claim: the time that was given
-- @include now_ms
-- @include read_hash
-- @include held_seats
-- @include read_body
-- @include send_frame
-- @include presence_frame
-- @include answer
local seat_key, friends_key, user_key, presence_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local uid, peer, reason, body, channel_prefix, not_after = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

-- 1. Read.
local now, about = now_ms(), read_body(body)
local sign, is_watching = string.match(reason, '[+-]$'), string.find(reason, '^watch')
local is_friend = string.sub(redis.call('HGET', friends_key, peer) or '', 1, 1) == '{'
local seats = held_seats(read_hash(seat_key))
local scores = redis.call('ZMSCORE', presence_key, '-' .. uid, '=' .. uid, '~' .. uid)
local is_on = is_friend and (#seats > 0 or scores[1])

-- 2. Tell.
if sign and (is_friend or is_watching) and now <= tonumber(not_after) then
  local frame = presence_frame(peer, sign == '+', about.name, about.icon, now)
  for _, seat in ipairs(seats) do
    send_frame(channel_prefix, seat.node, seat.sid, 1025, frame)
  end
  if sign == '-' and #seats > 0 and (scores[2] or scores[3]) then
    redis.call('ZADD', presence_key, now + 1, '=' .. uid)
  end
end

-- 3. Answer.
local profile = is_on and redis.call('HMGET', user_key, 'name', 'icon') or {}
return answer({
  uid = uid, online = is_on and true or false, name = profile[1] or nil, icon = profile[2] or nil,
  claim = tonumber(not_after),
})
