-- login_reply: the body of 1006 on success: the session, the heartbeat that is asked for, and of the profile only
-- what others may see too.
-- @include wire_uid
local function login_reply(user_key, uid, sid, class, seated, interval_ms, limit_ms)
  local profile = redis.call('HMGET', user_key, 'name', 'nick', 'icon', 'desc', 'sex')
  local body = string.format(
    '{"error":0,"uid":%s,"sid":"%s","class":"%s","epoch":%.0f,"resumed":%s,"heartbeat_interval_ms":%s,"heartbeat_limit_ms":%s',
    wire_uid(uid), sid, class, seated.epoch, tostring(seated.resumed), interval_ms, limit_ms)
  if not (profile[1] or profile[2] or profile[3] or profile[4] or profile[5]) then
    return body .. '}'
  end
  local shown = cjson.encode({
    name = profile[1] or nil,
    nick = profile[2] or nil,
    icon = profile[3] or nil,
    desc = profile[4] or nil,
    sex = tonumber(profile[5] or nil),
  })
  return shown == '{}' and body .. '}' or body .. ',' .. string.sub(shown, 2)
end
