-- public_profile: what others may see of a user, as the rest of a JSON object: empty, or fields with a comma in front.
-- Read before anything is written, because it may fail: what stands in a profile is not ours.
local function public_profile(user_key)
  local fields = redis.call('HMGET', user_key, 'name', 'nick', 'icon', 'desc', 'sex')
  local profile = {
    name = fields[1] or nil,
    nick = fields[2] or nil,
    icon = fields[3] or nil,
    desc = fields[4] or nil,
    sex = tonumber(string.match(fields[5] or '', '^%d+$') or nil),
  }
  return next(profile) and ',' .. string.sub(cjson.encode(profile), 2, -2) or ''
end
