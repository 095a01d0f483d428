-- apply v1: a user asks another one to become friends.
--
-- Here it is seen whether the user may ask; on the other's shard, whether the other takes it. Each application counts,
-- also one that is refused there, and one whose answer was lost and that is made again.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key user hash profile of the user
-- @key friends hash what the user has agreed with others
-- @key applies hash open applications to the user, and how many the user made today
-- @arg uid text the user
-- @arg sid text the session that asks
-- @arg class text its device class
-- @arg body text 1009: touid, applyname, bakname
-- @arg friends_max int friends that a user may have
-- @arg applies_per_day int applications that a user may make in a day
-- @arg not_after int Redis' clock past which calls that follow are refused
-- @effect verify the session has to be verified first
-- @effect reply 1010, where the application is refused here
-- @effect call applied; or what finishes a half of these two users
-- @include is_seated
-- @include text_in
-- @include now_ms
-- @include profile_table
-- @include read_bond
-- @include finish_half
-- @include reply_after
-- @include has_room
-- @include refusal_about
-- @include uid_in
local seat_key, user_key, friends_key, applies_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local uid, sid, class, body = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local friends_max, applies_per_day, not_after = ARGV[5], ARGV[6], ARGV[7]

-- 1. Guard.
if not is_seated(seat_key, class, sid) then
  return { 1, { 'verify' } }
end
local fields = read_body(body)
local touid, back = uid_in(fields.touid), text_in(fields.bakname, 256)
local name = fields.applyname and text_in(fields.applyname, 256)
if not touid or not name or not back then
  return { 1, refusal_about(1010, touid, 1001, 'field') }
end

-- 2. Read and decide.
local now, request = now_ms(), profile_table(user_key)
local bond = read_bond(friends_key, touid)
local today = string.format('%.0f', now - now % 86400000)
local day, made = string.match(redis.call('HGET', applies_key, '|day') or '', '^(%d+)|(%d+)$')
made = day == today and tonumber(made) or 0
local code, reason = 1102, nil
if touid == uid then
  reason = 'self'
elseif bond.kind == '{' or bond.kind == '~' then
  reason = 'already_friends'
elseif bond.kind == '!' then
  reason = 'blocked'
elseif bond.kind == '-' then
  code, reason = 1101, 'half'
elseif redis.call('HEXISTS', applies_key, touid) == 1 then
  reason = 'crossing'
elseif not has_room(friends_key, '^~?{', friends_max) then
  code, reason = 1106, 'friends'
elseif made >= tonumber(applies_per_day) then
  code, reason = 1106, 'applications'
end
if reason then
  return reply_after(finish_half(bond, uid, touid, not_after), refusal_about(1010, touid, code, reason))
end

-- 3. It counts, and goes to the other.
redis.call('HSET', applies_key, '|day', string.format('%s|%.0f', today, made + 1))
request.applyname, request.bakname, request.at = name, back, now
return { 1, { 'call', 'applied', touid, 'peer', uid, 'body', cjson.encode(request), 'not_after', not_after } }
