-- void_tickets: no ticket of a class (or, for an empty class, of any) opens a seat any more. The held one remembers
-- that it was an operator who took it away; `ticket` is kept in step with the stored hash.
local function void_tickets(ticket_key, ticket, class, now)
  local gone, void = {}, {}
  for field, value in pairs(ticket) do
    local name, slot = string.match(field, '^(.+):(%l+)')
    if (slot == 'held' or slot == 'next') and (class == '' or class == name) then
      gone[#gone + 1] = field
      if field == name .. ':held' then
        void[#void + 1] = { name .. ':void', value }
      end
    end
  end
  for _, field in ipairs(gone) do
    ticket[field] = nil
    redis.call('HDEL', ticket_key, field)
  end
  for _, pair in ipairs(void) do
    redis.call('HSET', ticket_key, pair[1], pair[2], pair[1] .. '_reason', 'kicked', pair[1] .. '_by', '',
      pair[1] .. '_at', now)
  end
end
