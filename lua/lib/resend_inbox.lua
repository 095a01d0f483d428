-- resend_inbox: publish to a session (class, sid, node) what its user's inbox holds, from its head and as much as may be
-- under way at a time; the cursor of the class becomes that session's, and is never set back.
-- @include push_inbox
local function resend_inbox(inbox_key, delivery_key, channel_prefix, seat, uid, now)
  if redis.call('EXISTS', inbox_key) == 0 then
    return
  end
  local fields = redis.call('HMGET', delivery_key, seat.class .. ':sid', seat.class .. ':sent')
  local sent = push_inbox(inbox_key, channel_prefix, seat, uid, 0, 32, now)
  if fields[1] == seat.sid then
    sent = math.max(sent, tonumber(fields[2] or nil) or 0)
  end
  redis.call('HSET', delivery_key, seat.class .. ':sid', seat.sid, seat.class .. ':sent', string.format('%.0f', sent))
end
