-- use_reserved: sessions arrived at a node, each of which uses up one ticket that was handed out for it: nobody says
-- which, so those that end first go first. What is over leaves the record.
-- @include count_reserved
local function use_reserved(record, now, arrivals)
  local deadlines = {}
  if count_reserved(record, now) > 0 then
    for deadline in pairs(record.reserved) do
      deadlines[#deadlines + 1] = deadline
    end
    table.sort(deadlines)
  end
  for _, deadline in ipairs(deadlines) do
    local used = math.min(arrivals, record.reserved[deadline])
    arrivals = arrivals - used
    record.reserved[deadline] = record.reserved[deadline] > used and record.reserved[deadline] - used or nil
  end
end
