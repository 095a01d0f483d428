-- has_room: whether fewer than so many values of `friends` match a pattern: `^~?{` friends, `^!` who is blocked. They are
-- counted only where there could be too many.
local function has_room(friends_key, pattern, max)
  local left = tonumber(max)
  if redis.call('HLEN', friends_key) < left then
    return true
  end
  for _, value in ipairs(redis.call('HVALS', friends_key)) do
    left = string.find(value, pattern) and left - 1 or left
  end
  return left > 0
end
