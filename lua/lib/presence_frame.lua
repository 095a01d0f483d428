-- presence_frame: the body of 1025 by which a session learns that another user is on line (type 1003) or off line (1101).
-- Name and icon may be unknown.
-- @include wire_uid
local function presence_frame(uid, is_on, name, icon, now)
  local message = (type(name) == 'string' and name or uid) .. (is_on and ' is on line' or ' is off line')
  local picture = cjson.encode(type(icon) == 'string' and icon or '')
  return string.format('{"error":0,"uid":%s,"type":%d,"message":%s,"status":%d,"time":%.0f,"icon":%s}', wire_uid(uid),
    is_on and 1003 or 1101, cjson.encode(message), is_on and 1 or 0, now, picture)
end
