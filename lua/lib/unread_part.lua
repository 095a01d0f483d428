-- unread_part: the oldest entries of an inbox that fit into `room` bytes of a login's answer: the items of unread_messages
-- and of notifications, and the position up to which they go, 0 where nothing waits. Where not even the first one fits,
-- that is the position just before it: once it is acknowledged, the rest follows as frames.
-- @include entry_of
-- @include wire_uid
local function unread_part(inbox_key, uid, room, now)
  local unread, notices, position, from = {}, {}, 0, 0
  repeat
    local page = redis.call('LRANGE', inbox_key, from, from + 49)
    for _, text in ipairs(page) do
      local entry, list = entry_of(text), notices
      local json = entry.json
      if entry.kind == 't' then
        local head = string.format('{"id":%.0f,"from_id":%s,"to_id":%s,"timestamp":%.0f,"content":', entry.id,
          wire_uid(entry.from), wire_uid(uid), entry.at)
        -- In JSON a quote inside a text has a backslash before it, so this is found only where an element begins.
        json, list = string.gsub(json, '{"content":', function() return head end), unread
      end
      if entry.till > now then
        room = room - #json - 1
        if room < 0 then
          return unread, notices, position > 0 and position or entry.id - 1
        end
        list[#list + 1] = json
        position = entry.id
      end
    end
    from = from + 50
  until #page < 50
  return unread, notices, position
end
