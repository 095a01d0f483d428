-- add_entry: append an entry (kind, from, at, till, json) to an inbox and give it its id, within the bounds: a full inbox
-- refuses it, or gives up its oldest. `delivery`, the hash as a table, is kept in step for the caller to write. Answers
-- how many entries waited before it, or nil where there is no room, and how many were dropped for it.
-- @include drop_expired
local function add_entry(inbox_key, delivery, entry, bounds, now)
  local waiting, dropped = drop_expired(inbox_key, delivery, now), 0
  local last = tonumber(delivery.last) or 0
  entry.id = math.max(last + 1, now)
  local text = string.format('%.0f|%s|%s|%.0f|%.0f|', entry.id, entry.kind, entry.from, entry.at, entry.till) .. entry.json
  while waiting >= bounds.inbox_max or delivery.bytes + #text > bounds.inbox_bytes_max do
    if waiting == 0 or bounds.inbox_full ~= 'drop' or #text > bounds.inbox_bytes_max then
      return nil, dropped
    end
    delivery.bytes = math.max(0, delivery.bytes - #redis.call('LPOP', inbox_key))
    waiting, dropped = waiting - 1, dropped + 1
  end
  redis.call('RPUSH', inbox_key, text)
  delivery.last, delivery.bytes = entry.id, delivery.bytes + #text
  delivery.due = waiting == 0 and entry.till or math.min(delivery.due, entry.till)
  return waiting, dropped
end
