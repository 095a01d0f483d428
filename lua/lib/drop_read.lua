-- drop_read: all entries of an inbox up to an id go. Answers the bytes of those that are left, and keeps `delivery`, the
-- hash as a table, in step.
-- @include entry_of
local function drop_read(inbox_key, delivery, id)
  local bytes, gone, step = tonumber(delivery.bytes) or 0, 0, 4
  if id > 0 and id >= (tonumber(delivery.last) or id + 1) then
    redis.call('DEL', inbox_key)
    delivery.bytes = 0
    return 0
  end
  repeat
    local page, before = redis.call('LRANGE', inbox_key, gone, gone + step - 1), gone
    for _, text in ipairs(page) do
      if entry_of(text).id > id then
        break
      end
      gone, bytes = gone + 1, bytes - #text
    end
    step = 64
  until gone == before or gone - before < #page
  if gone > 0 then
    redis.call('LTRIM', inbox_key, gone, -1)
  end
  delivery.bytes = math.max(0, bytes)
  return delivery.bytes
end
