-- release_name v1: a user has no use for a name any more. Only that user's claim is removed, only the one that is meant.
--
-- @since 0.1.0
-- @mode repeat
-- @key name string who has the name, and since when
-- @arg peer text the user
-- @arg since int the moment of the claim; empty for whichever it is
-- @effect reply outcome: released or kept
-- @include answer
local name_key = KEYS[1]
local peer, since = ARGV[1], ARGV[2]

local holder, at = string.match(redis.call('GET', name_key) or '', '^(.+)|(%d+)$')
if holder ~= peer or since ~= '' and since ~= at then
  return answer({ outcome = 'kept' })
end
redis.call('DEL', name_key)
return answer({ outcome = 'released' })
