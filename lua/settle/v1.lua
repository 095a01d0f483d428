-- settle v1: the other side has done its part; the half that stands here is done too.
--
-- `friends`: the peer has the user as a friend, by this number. `apart`: the peer has no friendship with the user up to
-- this number. Either may be old news: what the user did meanwhile stands, and the peer is told of it again.
--
-- @since 0.1.0
-- @mode repeat
-- @key friends hash what the user has agreed with others
-- @arg uid text the user
-- @arg peer text the other side
-- @arg since int number of the friendship, or up to which there is none
-- @arg reason text friends or apart
-- @arg body text with friends: public profile of the peer
-- @effect call unfriended, where the user has ended the friendship meanwhile
-- @include now_ms
-- @include read_body
-- @include read_bond
-- @include profile_in
-- @include friend_element
-- @include note_ended
local friends_key = KEYS[1]
local uid, peer, since, reason, body = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local bond, number = read_bond(friends_key, peer), tonumber(since)
local is_friend = bond.kind == '{' or bond.kind == '~'
if reason == 'friends' and not is_friend then
  return { 1, { 'call', 'unfriended', peer, 'peer', uid, 'since', string.format('%.0f', math.max(number, bond.since)) } }
elseif reason == 'friends' then
  if number > bond.since or number == bond.since and bond.kind == '~' then
    local profile = profile_in(read_body(body))
    profile = next(profile) and profile or profile_in(bond.fields)
    redis.call('HSET', friends_key, peer, friend_element(peer, profile, bond.fields.back, number))
  end
elseif not is_friend and bond.since > 0 and number >= bond.since then
  local now = now_ms()
  if bond.kind == '!' then
    redis.call('HSET', friends_key, peer, string.format('!%.0f', now))
  else
    redis.call('HDEL', friends_key, peer)
  end
  note_ended(friends_key, peer, number, now)
end
return { 1 }
