-- now_ms: the one clock of all scripts, Redis' own, in milliseconds. Read it once per call.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
