-- unfriended v1: the other side has ended a friendship, or refuses one that was approved here.
--
-- Whatever number the friendship has here, up to the one given it is over, and no late call makes it again. Who had the
-- other as a friend is told: the sessions by 1025, or else a notice waits in the inbox. An approval that is refused is
-- told by 1014 alone.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key ticket hash the tickets of the user
-- @key user hash profile of the user
-- @key friends hash what the user has agreed with others
-- @key inbox list what the user has not got yet
-- @key delivery hash how far the inbox was delivered
-- @arg uid text the user
-- @arg peer text the other side
-- @arg since int up to which number the friendship is over
-- @arg reason text refused where an approval was refused
-- @arg channel_prefix text what the channel of a node starts with
-- @arg inbox_max int messages that an inbox may hold
-- @effect call settle, on the peer's shard
-- @include now_ms
-- @include read_bond
-- @include user_exists
-- @include profile_in
-- @include note_ended
-- @include wire_uid
-- @include tell_seats
-- @include add_notice
local seat_key, ticket_key, user_key, friends_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local inbox_key, delivery_key = KEYS[5], KEYS[6]
local uid, peer, since, reason, channel_prefix, inbox_max = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

-- 1. Read.
local now, number, bond = now_ms(), tonumber(since), read_bond(friends_key, peer)
local is_known = user_exists(user_key, seat_key, ticket_key, friends_key)
local is_friend = bond.kind == '{' or bond.kind == '~'
local is_over = is_friend and bond.since <= number

-- 2. Write. Of a user who is unknown, or being erased, nothing new is kept.
if is_over then
  redis.call('HDEL', friends_key, peer)
end
if is_known then
  note_ended(friends_key, peer, number, now)
end
if is_known and is_over and (bond.kind == '{' or reason ~= 'refused') then
  local profile, at = profile_in(bond.fields), string.format('%.0f', now)
  local message = cjson.encode((profile.name or peer) .. ' is no longer your friend')
  local notice = '"uid":' .. wire_uid(peer) .. ',"type":1002,"message":' .. message .. ',"time":' .. at .. '}'
  local body = '{"error":0,"status":0,"icon":' .. cjson.encode(profile.icon or '') .. ',' .. notice
  if tell_seats(seat_key, channel_prefix, 1025, body) == 0 then
    add_notice(inbox_key, delivery_key, now, '{' .. notice, inbox_max)
  end
end
return { 1, { 'call', 'settle', peer, 'peer', uid, 'since', since, 'reason', 'apart' } }
