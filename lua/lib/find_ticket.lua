-- find_ticket: which class and slot a digest stands in, and, where it opens no door, the refusal to answer with.
-- The ticket that was voided last is told who took the seat, when and from where; a token that was never issued
-- learns nothing.
local function find_ticket(ticket, digest, now)
  local found, class, slot = {}, nil, nil
  for field, value in pairs(ticket) do
    if value == digest then
      local at, name = string.match(field, '^(.+):(%l+)$')
      found[name or ''] = at
    end
  end
  slot = found.next and 'next' or found.held and 'held' or found.void and 'void'
  class = slot and found[slot]
  if not class then
    return nil, nil, { error = next(ticket) and 1010 or 1011 }
  end
  local prefix = class .. ':' .. slot
  if slot == 'void' then
    local address = ticket[prefix .. '_by']
    return class, slot, {
      error = 1010,
      reason = ticket[prefix .. '_reason'],
      at = tonumber(ticket[prefix .. '_at']),
      by = address ~= '' and { class = class, address = address } or nil,
    }
  end
  if slot == 'next' and now > tonumber(ticket[prefix .. '_until']) then
    return class, slot, { error = 1010, reason = 'expired' }
  end
  return class, slot, nil
end
