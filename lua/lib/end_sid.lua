-- end_sid: put a sid into the ring of the last four that ended. `seat` is kept in step; the fields to store are added
-- to `changes`, so that the caller writes the hash once.
local function end_sid(changes, seat, class, sid)
  local turn = (tonumber(seat[class .. ':turn']) or 0) % 4 + 1
  local at, slot, n = class .. ':turn', class .. ':ended' .. turn, #changes
  seat[at], seat[slot] = tostring(turn), sid
  changes[n + 1], changes[n + 2], changes[n + 3], changes[n + 4] = at, turn, slot, sid
end
