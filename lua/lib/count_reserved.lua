-- count_reserved: how many tickets were handed out for a node that are neither used nor over, and when the first of
-- them ends. What is over leaves the record.
local function count_reserved(record, now)
  local count, first = 0, math.huge
  for text, tickets in pairs(record.reserved) do
    local deadline = tonumber(text) or 0
    if deadline > now and type(tickets) == 'number' then
      count, first = count + tickets, math.min(first, deadline)
    else
      record.reserved[text] = nil
    end
  end
  return count, first
end
