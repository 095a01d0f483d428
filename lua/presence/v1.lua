-- presence v1: a page of the users of a shard whose friends have something to be told now, each as a call.
--
-- Members of the presence: `+<uid>` came, nobody was told; `-<uid>` went, is told when due, and counts as on line until
-- then; `~<uid>` friends are being told, or were in part: they have to be told what is true; `=<uid>` a new session has to
-- learn which friends are on line. What is handed out is claimed for ten seconds; if its worker dies, it is due again.
-- Never do two tell of one user at a time: what falls due meanwhile is left to the one who tells, who will see it.
--
-- @since 0.1.0
-- @mode repeat
-- @key presence zset users of the shard of whom something has yet to be told, by the time when it is due
-- @arg page_max int most entries of this page
-- @effect call tell_friends, for each user
-- @effect reply next_ms: milliseconds until the next one is due, -1 if there is none
-- @include now_ms
-- @include claim_presence
local presence_key = KEYS[1]
local page_max = ARGV[1]

local now, effects = now_ms(), { 1 }
for _, member in ipairs(redis.call('ZRANGEBYSCORE', presence_key, '-inf', now, 'LIMIT', 0, page_max)) do
  local kind, uid, is_told = string.sub(member, 1, 1), string.sub(member, 2), false
  if kind == '+' or kind == '-' then
    redis.call('ZREM', presence_key, member)
    kind, is_told = '~', redis.call('ZSCORE', presence_key, '~' .. uid)
  end
  if not is_told then
    local claim = claim_presence(presence_key, kind .. uid, now)
    effects[#effects + 1] = { 'call', 'tell_friends', uid, 'reason', kind, 'cursor', claim .. '||' }
  end
end
local first = redis.call('ZRANGE', presence_key, 0, 0, 'WITHSCORES')
local next_ms = first[2] and math.max(0, tonumber(first[2]) - now) or -1
effects[#effects + 1] = { 'reply', 0, cjson.encode({ next_ms = next_ms }) }
return effects
