-- approve_bond: the owner approves an application: the half of a friendship, until the applicant's shard confirms it.
-- Answers its number, which no friendship of these two had before, and the owner as the applicant is to have it.
-- @include now_ms
-- @include ended_until
-- @include friend_element
-- @include profile_in
local function approve_bond(friends_key, peer, bond, application, back, mine)
  local since = math.max(now_ms(), bond.since + 1, ended_until(friends_key, peer) + 1)
  mine.back = application.back
  redis.call('HSET', friends_key, peer, '~' .. friend_element(peer, profile_in(application), back, since, mine))
  return since, mine
end
