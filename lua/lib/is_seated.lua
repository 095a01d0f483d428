-- is_seated: whether a session holds the seat of its class. If not, the script of a session's request answers with the
-- effect `verify` alone: that finds out whether the session was displaced, or the store forgot it, and asks once more.
local function is_seated(seat_key, class, sid)
  local fields = redis.call('HMGET', seat_key, class .. ':sid', class .. ':end')
  return fields[1] == sid and not fields[2]
end
