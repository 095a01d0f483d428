-- vacate_seat: the holder of a class gives its seat up for a reason. What stays is a tombstone with rank, reason,
-- sid and node; the sid can never be seated again; the deadline of the held ticket starts to run.
-- @include end_sid
-- @include roster_entry
-- @include let_expire
local function vacate_seat(seat_key, seat, ticket_key, ticket, roster_key, uid, class, reason, now)
  local sid, node = seat[class .. ':sid'], seat[class .. ':node']
  -- First what frees memory: a store at its limit lets a script that has written go on.
  redis.call('ZREM', roster_key, roster_entry(node, seat[class .. ':incarnation'], uid, class, sid))
  local changes = { class .. ':end', reason }
  end_sid(changes, seat, class, sid)
  seat[class .. ':end'] = reason
  redis.call('HSET', seat_key, unpack(changes))
  if ticket[class .. ':held'] then
    local deadline = now + (tonumber(ticket[class .. ':held_ttl']) or 0)
    ticket[class .. ':held_until'] = deadline
    redis.call('HSET', ticket_key, class .. ':held_until', deadline)
  end
  let_expire(seat_key, seat, ticket_key, ticket, now)
end
