-- approve v1: a user approves or declines an application.
--
-- Only an application that is open can be approved. From here on the friendship has a number, which is higher than that
-- of any before between these two; it stands as a half until the applicant's shard has confirmed it, and whoever sees the
-- half finishes it. Asked again after that, it answers the same.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key user hash profile of the user
-- @key friends hash what the user has agreed with others
-- @key applies hash open applications to the user
-- @arg uid text the user
-- @arg sid text the session that asks
-- @arg class text its device class
-- @arg body text 1013: touid (the applicant), back, accept
-- @arg friends_max int friends that a user may have
-- @arg not_after int Redis' clock past which calls that follow are refused
-- @effect verify the session has to be verified first
-- @effect reply 1014, unless the applicant's shard gives it
-- @effect call befriend, on the applicant's shard; or what finishes a half of these two users
-- @include is_seated
-- @include text_in
-- @include profile_table
-- @include read_bond
-- @include finish_half
-- @include reply_after
-- @include has_room
-- @include refusal_about
-- @include approve_bond
-- @include uid_in
local seat_key, user_key, friends_key, applies_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local uid, sid, class, body = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local friends_max, not_after = ARGV[5], ARGV[6]

-- 1. Guard.
if not is_seated(seat_key, class, sid) then
  return { 1, { 'verify' } }
end
local fields = read_body(body)
local touid, back, accept = uid_in(fields.touid), text_in(fields.back, 256), fields.accept == nil or fields.accept
if not touid or not back or type(accept) ~= 'boolean' then
  return { 1, refusal_about(1014, touid, 1001, 'field') }
end

-- 2. Read and decide.
local mine, bond = profile_table(user_key), read_bond(friends_key, touid)
local application = redis.call('HGET', applies_key, touid)
local is_friend = bond.kind == '{' or bond.kind == '~'
local code, reason = 1102, nil
if is_friend and not accept then
  reason = 'already_friends'
elseif bond.kind == '!' then
  reason = 'blocked'
elseif accept and not is_friend and not application then
  reason = 'no_application'
elseif accept and not is_friend and not has_room(friends_key, '^~?{', friends_max) then
  code, reason = 1106, 'friends'
end
if reason then
  return reply_after(finish_half(bond, uid, touid, not_after), refusal_about(1014, touid, code, reason))
end

-- 3. Write.
redis.call('HDEL', applies_key, touid)
if not accept then
  return { 1, { 'reply', 1014, '{"error":0,"uid":' .. wire_uid(touid) .. ',"accepted":false}' } }
end
local since, theirs = bond.since, bond.fields.theirs or mine
if not is_friend then
  since, theirs = approve_bond(friends_key, touid, bond, read_body(application), back, mine)
end
return { 1, call_befriend(uid, touid, since, theirs, not_after, 'approve') }
