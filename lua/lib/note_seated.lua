-- note_seated: after a session took its seat, got it back or proved to have it: note what its client understands and, where
-- something happened, tell the backends, and the friends if the user was away. `seat` is what was stored before, `event` the
-- trail's word for what happened or nil, `other` the sid that lost the seat or nil. Whoever agreed on nothing with anybody
-- (`keys.friends`, where the caller has it) costs nobody a look.
-- @include held_seats
-- @include note_arrival
-- @include add_event
local function note_seated(keys, seat, new, event, other)
  local uid, class, features = new.uid, new.class, new.class .. ':features'
  if (seat[features] or '') ~= new.features then
    redis.call('HSET', keys.seat, features, new.features)
  end
  if other then
    add_event(keys.events, new.events_max, 'displaced', uid, class, other, seat[class .. ':node'], new.now, new.version)
  end
  if event then
    add_event(keys.events, new.events_max, event, uid, class, new.sid, new.node, new.now, new.version)
  end
  local has_friends = not keys.friends or redis.call('EXISTS', keys.friends) == 1
  if event and has_friends and holder_of(seat, class) ~= new.sid then
    -- The store forgot what a verify puts back, and perhaps that friends were told.
    note_arrival(keys.presence, uid, #held_seats(seat) > 0, event == 'verified' and '~' or '+', new.now)
  end
end
