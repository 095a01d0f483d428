-- tell_seats: send a frame to each session of a user, and answer how many these are.
-- @include read_hash
-- @include held_seats
-- @include send_frame
local function tell_seats(seat_key, channel_prefix, id, body)
  local held = held_seats(read_hash(seat_key))
  for _, seat in ipairs(held) do
    send_frame(channel_prefix, seat.node, seat.sid, id, body)
  end
  return #held
end
