-- login_reply: the body of 1006 on success: the session, the heartbeat that is asked for, and of the profile only
-- what others may see too.
-- @include with_uid
local function login_reply(user_key, uid, sid, class, seated, interval_ms, limit_ms)
  local profile = redis.call('HMGET', user_key, 'name', 'nick', 'icon', 'desc', 'sex')
  return with_uid(uid, cjson.encode({
    error = 0,
    sid = sid,
    class = class,
    epoch = seated.epoch,
    resumed = seated.resumed or nil,
    heartbeat_interval_ms = tonumber(interval_ms),
    heartbeat_limit_ms = tonumber(limit_ms),
    name = profile[1] or nil,
    nick = profile[2] or nil,
    icon = profile[3] or nil,
    desc = profile[4] or nil,
    sex = tonumber(profile[5] or nil),
  }))
end
