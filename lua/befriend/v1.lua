-- befriend v1: who approved an application becomes the friend of the applicant.
--
-- Runs on the applicant's shard; `peer` approved. May come late, twice, or after a removal: a number that was ended or
-- refused here stays so. Where both approved each other at once the higher number counts: who has the lower one
-- becomes a friend first, so that the other keeps a half until both know.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key ticket hash the tickets of the user
-- @key user hash profile of the user
-- @key friends hash what the user has agreed with others
-- @key applies hash open applications to the user
-- @key inbox list what the user has not got yet
-- @key delivery hash how far the inbox was delivered
-- @arg uid text the user, who applied
-- @arg peer text who approved
-- @arg since int number of the friendship
-- @arg body text theirs: the peer as the user is to have it, profile and back
-- @arg reason text approve where a client waits for 1014
-- @arg channel_prefix text what the channel of a node starts with
-- @arg friends_max int friends that a user may have
-- @arg inbox_max int messages that an inbox may hold
-- @arg not_after int Redis' clock past which this call is refused
-- @effect reply 1014, where a client waits for it
-- @effect call settle on the peer's shard, or unfriended where it is refused, or befriend where the higher number is here
-- @include now_ms
-- @include read_body
-- @include profile_table
-- @include shown_profile
-- @include read_bond
-- @include call_befriend
-- @include refusal_about
-- @include refuse_friend
-- @include take_friend
local seat_key, ticket_key, user_key, friends_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local applies_key, inbox_key, delivery_key = KEYS[5], KEYS[6], KEYS[7]
local uid, peer, since, body, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local channel_prefix, friends_max, inbox_max, not_after = ARGV[6], ARGV[7], ARGV[8], ARGV[9]

-- 1. Guard.
local now, number, mine = now_ms(), tonumber(since), profile_table(user_key)
local asked = reason == 'approve'
local keys = { seat = seat_key, ticket = ticket_key, user = user_key, friends = friends_key, inbox = inbox_key,
  delivery = delivery_key }
if now > tonumber(not_after) then
  return { 1, asked and refusal_about(1014, uid, 1101, 'late') or nil }
end
local bond = read_bond(friends_key, peer)
local code, why = refuse_friend(keys, peer, bond, number, friends_max, now)
if code then
  local refused = { 'call', 'unfriended', peer, 'peer', uid, 'since', string.format('%.0f', math.max(number, bond.since)),
    'reason', 'refused' }
  return { 1, refused, asked and refusal_about(1014, uid, code, why) or nil }
end

-- 2. Write.
redis.call('HDEL', applies_key, peer)
local next_call
if bond.kind == '~' and bond.since > number then
  next_call = call_befriend(uid, peer, bond.since, bond.fields.theirs, not_after)
else
  local theirs = read_body(body).theirs
  local new = { uid = uid, peer = peer, since = number, theirs = type(theirs) == 'table' and theirs or {},
    channel_prefix = channel_prefix, inbox_max = inbox_max }
  local stands = take_friend(keys, new, bond, now)
  next_call = { 'call', 'settle', peer, 'peer', uid, 'since', string.format('%.0f', stands), 'reason', 'friends',
    'body', cjson.encode(mine) }
end
local answer = { 'reply', 1014, '{"error":0,"uid":' .. wire_uid(uid) .. shown_profile(mine) .. '}' }
return { 1, next_call, asked and answer or nil }
