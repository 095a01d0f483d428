-- push_inbox: publish the entries of an inbox beyond a position to one session (class, sid, node). Only the first `room`
-- entries of the inbox may be under way, those up to the position are so already. Answers how far the session was sent:
-- the position of the last entry published, or the one given. From position 0 it publishes again what may have been
-- lost; who does that must not set the cursor back: `sent` is then the higher of what it was and this answer.
-- Entries that ran out by `now` (may be left out) are passed over.
-- @include entry_of
-- @include send_entry
local function push_inbox(inbox_key, channel_prefix, seat, uid, from_position, room, now)
  local sent = from_position
  for _, text in ipairs(redis.call('LRANGE', inbox_key, 0, room - 1)) do
    local entry = entry_of(text)
    if entry.id > from_position and entry.till > (now or 0) then
      send_entry(channel_prefix, seat, uid, entry, sent)
      sent = entry.id
    end
  end
  return sent
end
