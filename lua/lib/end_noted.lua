-- end_noted: end a session, as end_session does, and note what happened for the backends and for the friends: these only
-- if no other seat of the user is held, and the user agreed on something with somebody.
-- @include end_session
-- @include class_of
-- @include held_seats
-- @include add_event
-- @include note_departure
local function end_noted(keys, who, reason, now)
  local seat = read_hash(keys.seat)
  local class = class_of(seat, who.sid, who.class)
  local outcome = end_session(keys, who, reason, now)
  if outcome == reason then
    add_event(keys.events, who.events_max, reason, who.uid, class, who.sid, seat[class .. ':node'], now, who.version)
    if #held_seats(seat) == 1 and redis.call('EXISTS', keys.friends) == 1 then
      note_departure(keys.presence, who.uid, who.grace_ms, now)
    end
  end
  return outcome
end
