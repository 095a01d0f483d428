-- held_seats: the sessions of a user, by class, from the seat as a table: class, sid, node and the features of the client.
-- @include holder_of
local function held_seats(seat)
  local held = {}
  for field in pairs(seat) do
    local class = string.match(field, '^(.+):sid$')
    local sid = class and holder_of(seat, class)
    if sid then
      held[#held + 1] = { class = class, sid = sid, node = seat[class .. ':node'], features = seat[class .. ':features'] or '' }
    end
  end
  table.sort(held, function(a, b)
    return a.class < b.class
  end)
  return held
end
