-- end_sid: put a sid into the ring of the last four that ended; `seat` is kept in step with the stored hash.
local function end_sid(seat_key, seat, class, sid)
  local turn = (tonumber(seat[class .. ':turn']) or 0) % 4 + 1
  seat[class .. ':turn'] = tostring(turn)
  seat[class .. ':ended' .. turn] = sid
  redis.call('HSET', seat_key, class .. ':turn', turn, class .. ':ended' .. turn, sid)
end
