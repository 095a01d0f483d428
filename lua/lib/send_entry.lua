-- send_entry: publish one entry of a user's inbox (as `entry_of` answers it) to one session (class, sid, node): texts as
-- 1019, a notification as 1025. The session takes it only after the frame of position `after`.
-- @include wire_uid
-- @include send_frame
local function send_entry(channel_prefix, seat, uid, entry, after)
  local id, body = 1019, nil
  if entry.kind == 't' then
    body = string.format('{"error":0,"fromuid":%s,"touid":%s,"text_array":[', wire_uid(entry.from), wire_uid(uid))
      .. entry.json .. string.format('],"id":%.0f,"timestamp":%.0f}', entry.id, entry.at)
  else
    id, body = 1025, string.format('{"error":0,"status":0,"icon":"","id":%.0f,', entry.id) .. string.sub(entry.json, 2)
  end
  send_frame(channel_prefix, seat.node, seat.sid, id, body, entry.id, after)
end
