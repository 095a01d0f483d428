-- refresh_friend v1: a user's profile has changed; here, at a friend, is a copy of it.
--
-- @since 0.1.0
-- @mode repeat
-- @key friends hash what the friend has agreed with others
-- @arg peer text the user whose profile it is
-- @arg body text the public profile
-- @effect reply outcome: fresh, or none where the two are no friends
-- @include read_body
-- @include read_bond
-- @include profile_in
-- @include friend_element
-- @include answer
local friends_key = KEYS[1]
local peer, body = ARGV[1], ARGV[2]

local bond = read_bond(friends_key, peer)
if bond.kind ~= '{' and bond.kind ~= '~' then
  return answer({ outcome = 'none' })
end
local sign = bond.kind == '~' and '~' or ''
local element = friend_element(peer, profile_in(read_body(body)), bond.fields.back, bond.since, bond.fields.theirs)
redis.call('HSET', friends_key, peer, sign .. element)
return answer({ outcome = 'fresh' })
