-- watch v1: the backend has somebody told of a user's presence who is no friend, or no more.
--
-- @since 0.1.0
-- @mode repeat
-- @key friends hash what the user has agreed with others; whoever watches has a field `|watch|<uid>`
-- @arg peer text who is to be told
-- @arg reason text add or remove
-- @arg friends_max int most who watch one user
-- @effect reply outcome: watching or not; or error: watchers (too many)
-- @include answer
local friends_key = KEYS[1]
local peer, reason, friends_max = ARGV[1], ARGV[2], ARGV[3]

local field = '|watch|' .. peer
if reason ~= 'add' then
  redis.call('HDEL', friends_key, field)
  return answer({ outcome = 'not' })
end
local count = 0
for _, name in ipairs(redis.call('HKEYS', friends_key)) do
  count = count + (name ~= field and string.find(name, '^|watch|') and 1 or 0)
end
if count >= tonumber(friends_max) then
  return answer({ error = 'watchers' })
end
redis.call('HSET', friends_key, field, '1')
return answer({ outcome = 'watching' })
