-- claim_name v1: a user wants a name, before it goes into the profile. Whoever has it keeps it.
--
-- A claim that never got into the profile, because its maker died, may be taken over: by the one who looked there and
-- names it, uid and moment, and not within a minute. put_profile writes no claim older than half of that.
--
-- @since 0.1.0
-- @mode repeat
-- @key name string who has the name, and since when: `<uid>|<at>`
-- @arg who text the user who wants it
-- @arg peer text who is said to have no use for it; empty for nobody
-- @arg since int when that one claimed it
-- @effect reply outcome: claimed, with the moment, and whether it was not the user's before; or taken, with uid and moment
-- of the claim that stands
-- @include now_ms
-- @include answer
local name_key = KEYS[1]
local who, peer, since = ARGV[1], ARGV[2], ARGV[3]

local now = now_ms()
local claim = redis.call('GET', name_key) or ''
local holder, at = string.match(claim, '^(.+)|(%d+)$')
local is_left = claim == peer .. '|' .. since and now - (tonumber(since) or now) >= 60000
if holder and holder ~= who and not is_left then
  return answer({ outcome = 'taken', uid = holder, at = tonumber(at) })
end
-- Later than the claim before: a release of that one must not find this one.
at = math.max(now, (tonumber(at) or 0) + 1)
redis.call('SET', name_key, string.format('%s|%.0f', who, at))
return answer({ outcome = 'claimed', at = at, is_new = holder ~= who })
