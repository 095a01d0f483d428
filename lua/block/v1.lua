-- block v1: a user blocks another one, or takes that back.
--
-- Who is blocked can neither apply nor become a friend nor send texts. A friendship ends with it, an open application of
-- the other goes. The other is told no more than that the friendship has ended.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key friends hash what the user has agreed with others
-- @key applies hash open applications to the user
-- @arg uid text the user
-- @arg sid text the session that asks
-- @arg class text its device class
-- @arg body text 1108: touid, blocked (true unless given)
-- @arg friends_max int as many users may be blocked as may be friends
-- @arg not_after int Redis' clock past which calls that follow are refused
-- @effect verify the session has to be verified first
-- @effect reply 1109
-- @effect call unfriended, on the other's shard
-- @include is_seated
-- @include read_body
-- @include uid_in
-- @include now_ms
-- @include read_bond
-- @include finish_half
-- @include reply_after
-- @include has_room
-- @include refusal_about
local seat_key, friends_key, applies_key = KEYS[1], KEYS[2], KEYS[3]
local uid, sid, class, body, friends_max, not_after = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

-- 1. Guard.
if not is_seated(seat_key, class, sid) then
  return { 1, { 'verify' } }
end
local fields = read_body(body)
local touid, blocked = uid_in(fields.touid), fields.blocked == nil or fields.blocked
if not touid or type(blocked) ~= 'boolean' then
  return { 1, refusal_about(1109, touid, 1001, 'field') }
elseif touid == uid then
  return { 1, refusal_about(1109, touid, 1102, 'self') }
end

-- 2. Read and decide. What the other has yet to be told stays, with the sign of a block or without it.
local now, bond = now_ms(), read_bond(friends_key, touid)
if blocked and bond.kind ~= '!' and not has_room(friends_key, '^!', friends_max) then
  return reply_after(finish_half(bond, uid, touid, not_after), refusal_about(1109, touid, 1106, 'blocked'))
end
if bond.kind == '{' or bond.kind == '~' then
  bond.since = blocked and math.max(now, bond.since) or bond.since
end
local pending = string.format('-%.0f', bond.since)

-- 3. Write.
if blocked and bond.kind ~= '!' then
  redis.call('HSET', friends_key, touid, '!' .. (bond.since > 0 and pending or string.format('%.0f', now)))
  redis.call('HDEL', applies_key, touid)
  bond.kind = '!'
elseif not blocked and bond.kind == '!' and bond.since > 0 then
  redis.call('HSET', friends_key, touid, pending)
elseif not blocked and bond.kind == '!' then
  redis.call('HDEL', friends_key, touid)
end
local reply = string.format('{"error":0,"touid":%s,"blocked":%s}', wire_uid(touid), tostring(blocked))
return reply_after(finish_half(bond, uid, touid, not_after), { 'reply', 1109, reply })
