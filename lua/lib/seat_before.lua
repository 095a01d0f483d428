-- seat_before: what a session that has its seat already was answered when it took it, with the kick of whoever it
-- displaced: one of the two may have been lost on the way. Only a newer ticket of its own is taken note of.
-- @include take_ticket
-- @include displace
local function seat_before(keys, seat, ticket, new)
  local c = new.class .. ':'
  local seated = { epoch = tonumber(seat[c .. 'epoch']), resumed = seat[c .. 'how'] == 'resumed' }
  seated.number = take_ticket(keys.ticket, ticket, new, 'superseded')
  if seat[c .. 'displaced'] then
    seated.kick = displace(new.channel_prefix, seat[c .. 'displaced_node'], new.uid, seat[c .. 'displaced'],
      seat[c .. 'displaced_reason'],
      { class = new.class, address = seat[c .. 'address'], at = seat[c .. 'since'], epoch = seated.epoch,
        version = seat[c .. 'version'] })
  end
  redis.call('HSET', keys.seat, c .. 'number', seated.number)
  return seated
end
