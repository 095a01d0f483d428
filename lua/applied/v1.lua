-- applied v1: an application reaches the user to whom it is made.
--
-- The script of the applicant's request called it; `peer` is the applicant. An application is known by the time at which
-- it was made: the same one twice, because an answer was lost, is answered as before; another one is refused as repeated.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key user hash profile of the user
-- @key ticket hash the tickets of the user
-- @key friends hash what the user has agreed with others
-- @key applies hash open applications to the user
-- @arg uid text the user
-- @arg peer text the applicant
-- @arg body text public profile of the applicant, applyname, bakname and at
-- @arg channel_prefix text what the channel of a node starts with
-- @arg applies_max int applications that may be open
-- @arg not_after int Redis' clock past which calls that follow are refused
-- @effect reply 1010
-- @effect call what finishes a half of these two users
-- @include read_body
-- @include profile_in
-- @include profile_table
-- @include read_bond
-- @include finish_half
-- @include reply_after
-- @include user_exists
-- @include refusal_about
-- @include shown_profile
-- @include tell_seats
local seat_key, user_key, ticket_key, friends_key, applies_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local uid, peer, body = ARGV[1], ARGV[2], ARGV[3]
local channel_prefix, applies_max, not_after = ARGV[4], ARGV[5], ARGV[6]

-- 1. Read and decide.
local mine, request = profile_table(user_key), read_body(body)
local profile, at = profile_in(request), tonumber(request.at) or 0
local bond = read_bond(friends_key, peer)
local half = finish_half(bond, uid, peer, not_after)
local open = redis.call('HGET', applies_key, peer)
local others = redis.call('HLEN', applies_key) - redis.call('HEXISTS', applies_key, '|day')
local code, reason = 1102, nil
if not user_exists(user_key, seat_key, ticket_key, friends_key) then
  code, reason = 1011, 'unknown'
elseif bond.kind == '!' then
  reason = 'blocked'
elseif bond.kind == '~' then
  reason = 'already_friends'
elseif bond.kind == '{' then
  -- The applicant knows nothing of it, or has learnt it meanwhile.
  reason, half = 'already_friends', call_befriend(uid, peer, bond.since, mine, not_after)
elseif open and read_body(open).at ~= at then
  reason = 'repeated'
elseif not open and others >= tonumber(applies_max) then
  code, reason = 1106, 'applications'
end
if reason then
  return reply_after(half, refusal_about(1010, uid, code, reason))
end

-- 2. It stands, and whoever sits here is told, once.
if not open then
  if type(request.applyname) == 'string' and request.applyname ~= '' then
    profile.name = request.applyname
  end
  local shown, back = shown_profile(profile), type(request.bakname) == 'string' and request.bakname or ''
  redis.call('HSET', applies_key, peer, string.format('{"uid":%s%s,"status":0,"back":%s,"at":%.0f}', wire_uid(peer), shown,
    cjson.encode(back), at))
  tell_seats(seat_key, channel_prefix, 1011, string.format('{"error":0,"applyuid":%s%s}', wire_uid(peer), shown))
end
return reply_after(half, { 'reply', 1010, '{"error":0,"touid":' .. wire_uid(uid) .. '}' })
