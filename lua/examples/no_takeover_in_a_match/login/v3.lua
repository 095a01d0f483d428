-- login v3: as v2, but nobody is displaced while a match is on.
--
-- The next ticket takes the seat and voids the one that held it; the held ticket resumes. The same sid again changes
-- nothing, answers the same and repeats the kick, so a lost reply is harmless. A sid that ended is never seated again.
--
-- @since 0.1.0
-- @mode write
-- @key seat hash who holds the seats of the user
-- @key ticket hash the tickets of the user, two slots per class
-- @key roster zset all sessions of the shard, ordered by node
-- @key trail list the last events of the user's seats
-- @key user hash profile of the user, for the answer
-- @key presence zset users of the shard of whom something has yet to be told
-- @key events stream what happened to the seats of the shard
-- @key friends hash what the user has agreed with others
-- @arg node text node that holds the connection
-- @arg incarnation int incarnation of that node
-- @arg sid text the newcomer's session
-- @arg uid text the user
-- @arg token_digest text digest of the token that the client showed
-- @arg address text address of the client
-- @arg not_after int Redis' milliseconds past which this call is void
-- @arg policy text takeover, or deny to refuse a newcomer while the seat is held
-- @arg channel_prefix text what the channel of a node starts with
-- @arg interval_ms int heartbeat interval, told to the client
-- @arg limit_ms int heartbeat limit, told to the client
-- @arg trail_max int events kept
-- @arg welcome text script that answers instead, or empty
-- @arg version text this script's name and version
-- @arg features text what the client understands
-- @arg events_max int events of the shard that are kept
-- @effect bind the seat and its rank
-- @effect reply 1006, or its refusal
-- @effect kick the displaced session
-- @effect call the welcome script
-- @effect close a sid that ended has nothing left to do here
-- @include now_ms
-- @include read_hash
-- @include find_ticket
-- @include has_ended
-- @include class_of
-- @include take_seat
-- @include seat_before
-- @include public_profile
-- @include login_reply
-- @include note_seated
-- @change v2 notes what the client understands, whom friends have to be told of, and events for the backends.
-- @change v3 refuses a newcomer until the moment that the field match_until of the profile names, in milliseconds.
local seat_key, ticket_key, roster_key, trail_key, user_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local presence_key, events_key, friends_key = KEYS[6], KEYS[7], KEYS[8]
local node, incarnation, sid, uid, token_digest = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local address, not_after, policy, channel_prefix = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local interval_ms, limit_ms, trail_max, welcome, version = ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14]
local features, events_max = ARGV[15], ARGV[16]

local function refusal(fields)
  return { 'reply', 1006, cjson.encode(fields) }
end

-- 1. Guard: too late, no such ticket, an ended session, a seat that is not given away.
local now = now_ms()
if now > tonumber(not_after) then
  return { 1, refusal({ error = 1101, retry_after_ms = 1000 }) }
end
local seat, ticket = read_hash(seat_key), read_hash(ticket_key)
local class, slot, wrong = find_ticket(ticket, token_digest, now)
local holder = class and holder_of(seat, class)
if slot == 'held' and not holder and now > (tonumber(ticket[class .. ':held_until']) or now) then
  wrong = { error = 1010, reason = 'expired' }
end
if has_ended(seat, class or '', sid) then
  local reason = wrong and wrong.reason
  if reason ~= 'displaced' and reason ~= 'kicked' then
    reason = slot == 'held' and holder and 'resumed' or 'internal'
  end
  return { 1, refusal(wrong or { error = 1010, reason = reason }), { 'close', reason } }
end
if wrong then
  return { 1, refusal(wrong) }
end
if class_of(seat, sid, class) ~= class then
  return { 1, refusal({ error = 1102, reason = 'other_class' }) }
end
if policy == 'deny' and slot == 'next' and holder and holder ~= sid then
  return { 1, refusal({ error = 1102, reason = 'held' }) }
end
local match_left = holder and (tonumber(redis.call('HGET', user_key, 'match_until') or nil) or 0) - now or 0
if slot == 'next' and holder ~= sid and match_left > 0 then
  return { 1, refusal({ error = 1102, reason = 'match', retry_after_ms = match_left }) }
end

local profile = welcome == '' and public_profile(user_key) or ''

-- 2. Take the seat, or find that this session has it already; the latter is no news.
local keys = {
  seat = seat_key, ticket = ticket_key, roster = roster_key, trail = trail_key, presence = presence_key, events = events_key,
  friends = friends_key,
}
local new = {
  uid = uid, class = class, slot = slot, digest = token_digest, sid = sid, node = node, incarnation = incarnation,
  address = address, now = now, version = version, trail_max = trail_max, channel_prefix = channel_prefix,
  features = features, events_max = events_max,
}
local seated = (holder == sid and seat_before or take_seat)(keys, seat, ticket, new)
local event = holder ~= sid and (seated.resumed and 'resumed' or 'taken') or nil
note_seated(keys, seat, new, event, event == 'taken' and holder or nil)

-- 3. Answer.
local effects = { 1, { 'bind', uid, class, seated.number, seated.epoch } }
if welcome == '' then
  effects[3] = { 'reply', 1006, login_reply(uid, sid, class, seated, interval_ms, limit_ms, profile) }
else
  effects[3] = { 'call', welcome, uid, 'sid', sid, 'class', class, 'epoch', seated.epoch }
end
effects[4] = seated.kick
return effects
