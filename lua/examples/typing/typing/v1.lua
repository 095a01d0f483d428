-- typing v1: tell a user that a friend is typing.
--
-- 1201 {fromuid, touid} from a client, 1202 {error, fromuid} to each session of the other. This runs on the shard of
-- `touid`, so it is the friends of the receiver that count. Nothing is kept: who is off line misses nothing.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key friends hash what the user has agreed with others
-- @arg uid text the user who is told
-- @arg peer text who is typing
-- @arg channel_prefix text what the channel of a node starts with
-- @effect reply 1202 with an error, to who is no friend
-- @include wire_uid
-- @include refusal_about
-- @include tell_seats
local seat_key, friends_key = KEYS[1], KEYS[2]
local uid, peer, channel_prefix = ARGV[1], ARGV[2], ARGV[3]

local bond = redis.call('HGET', friends_key, peer) or ''
if string.sub(bond, 1, 1) ~= '{' then
  return { 1, refusal_about(1202, uid, 1102, 'no_friend') }
end
tell_seats(seat_key, channel_prefix, 1202, '{"error":0,"fromuid":' .. wire_uid(peer) .. '}')
return { 1 }
