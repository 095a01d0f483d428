-- announce: what the fleet runs has changed: it gets a higher revision, and every node hears of it. A revision is
-- never lower than the clock, so that it grows although the store may have lost the last one.
local function announce(scripts_key, channel, now)
  local last = tonumber(redis.call('HGET', scripts_key, 'revision') or nil) or 0
  local revision = math.max(last + 1, now)
  redis.call('HSET', scripts_key, 'revision', revision)
  redis.call('PUBLISH', channel, string.format('%d', revision))
  return revision
end
