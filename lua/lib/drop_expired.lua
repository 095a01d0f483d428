-- drop_expired: the oldest entries of an inbox go when their time is over. `delivery` is its hash as a table, of which
-- `bytes` and `due` (no entry runs out before) are put right for the caller to write. Answers how many entries are left.
-- @include entry_of
local function drop_expired(inbox_key, delivery, now)
  local count, due = redis.call('LLEN', inbox_key), tonumber(delivery.due) or 0
  delivery.bytes = count > 0 and tonumber(delivery.bytes) or 0
  if count > 0 and due <= now and entry_of(redis.call('LINDEX', inbox_key, 0)).till ~= due then
    -- The list as a whole may have run out, and what stands there came later: its bytes are counted anew.
    delivery.bytes = 0
    for _, text in ipairs(redis.call('LRANGE', inbox_key, 0, -1)) do
      delivery.bytes = delivery.bytes + #text
    end
  end
  while count > 0 and due <= now do
    local head = redis.call('LINDEX', inbox_key, 0)
    due = entry_of(head).till
    if due <= now then
      redis.call('LPOP', inbox_key)
      count, delivery.bytes = count - 1, math.max(0, delivery.bytes - #head)
    end
  end
  delivery.due = due
  return count
end
