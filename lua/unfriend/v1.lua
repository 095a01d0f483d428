-- unfriend v1: a user ends a friendship.
--
-- It is over from here on, and answered at once; that the other side has yet to be told stands as a half, which whoever
-- sees it finishes. The number of a removal is not below that of any friendship which it ends.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key friends hash what the user has agreed with others
-- @arg uid text the user
-- @arg sid text the session that asks
-- @arg class text its device class
-- @arg body text 1106: touid
-- @arg not_after int Redis' clock past which calls that follow are refused
-- @effect verify the session has to be verified first
-- @effect reply 1107
-- @effect call unfriended, on the other's shard
-- @include is_seated
-- @include read_body
-- @include uid_in
-- @include now_ms
-- @include read_bond
-- @include finish_half
-- @include reply_after
-- @include refusal_about
local seat_key, friends_key = KEYS[1], KEYS[2]
local uid, sid, class, body, not_after = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

if not is_seated(seat_key, class, sid) then
  return { 1, { 'verify' } }
end
local touid = uid_in(read_body(body).touid)
if not touid then
  return { 1, refusal_about(1107, nil, 1001, 'field') }
end
local bond = read_bond(friends_key, touid)
if bond.kind == '{' or bond.kind == '~' then
  bond.kind, bond.since = '-', math.max(now_ms(), bond.since)
  redis.call('HSET', friends_key, touid, string.format('-%.0f', bond.since))
end
local half = finish_half(bond, uid, touid, not_after)
if bond.kind ~= '-' then
  return reply_after(half, refusal_about(1107, touid, 1102, 'no_friend'))
end
return reply_after(half, { 'reply', 1107, '{"error":0,"touid":' .. wire_uid(touid) .. '}' })
