-- login_reply: the body of 1006 on success: the session, the heartbeat that is asked for, and the profile as JSON text.
-- @include wire_uid
local function login_reply(uid, sid, class, seated, interval_ms, limit_ms, profile)
  return string.format(
    '{"error":0,"uid":%s,"sid":"%s","class":"%s","epoch":%d,"resumed":%s,"heartbeat_interval_ms":%s,"heartbeat_limit_ms":%s%s}',
    wire_uid(uid), sid, class, seated.epoch, tostring(seated.resumed), interval_ms, limit_ms, profile)
end
