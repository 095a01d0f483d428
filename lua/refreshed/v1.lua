-- refreshed v1: all friends were given a copy of a profile, which is the last one unless it was written again meanwhile.
--
-- Then whoever gave out the copies gives out the newer one, too: the two may have overtaken each other.
--
-- @since 0.1.0
-- @mode repeat
-- @key user hash profile of the user
-- @arg since int the moment of writing, as put_profile told it
-- @effect reply outcome: fresh, or newer with public, the profile as it is, and stale, its moment, while nobody is done with
-- it
-- @include public_profile
-- @include answer
local user_key = KEYS[1]
local since = ARGV[1]

local stale = redis.call('HGET', user_key, '|stale')
if stale == since then
  redis.call('HDEL', user_key, '|stale')
  return answer({ outcome = 'fresh' })
end
return { 1, { 'reply', 0, string.format('{"outcome":"newer","stale":"%s","public":{%s}}', stale or '',
  string.sub(public_profile(user_key), 2)) } }
