-- end_session: compare-and-remove. Only the session that holds the seat can empty it; any other sid is noted as
-- ended, so that a late login of it finds the door closed, and its stray roster entry is removed. Answers how it went:
-- the reason given, `ended` (was over already) or `never` (never held a seat).
-- @include read_hash
-- @include has_ended
-- @include vacate_seat
-- @include add_trail
local function end_session(keys, who, reason, now)
  local seat, ticket = read_hash(keys.seat), read_hash(keys.ticket)
  local class, outcome = who.class, 'never'
  for field, value in pairs(seat) do
    local holds = value == who.sid and string.match(field, '^(.+):sid$')
    class = holds or class
  end
  if class ~= '' and seat[class .. ':sid'] == who.sid and holder_of(seat, class) then
    vacate_seat(keys.seat, seat, keys.ticket, ticket, keys.roster, who.uid, class, reason, now)
    add_trail(keys.trail, who.trail_max, now, reason, class, who.sid, seat[class .. ':node'],
      seat[class .. ':address'], who.version, '')
    return reason
  end
  if has_ended(seat, class, who.sid) then
    outcome = 'ended'
  else
    local changes = {}
    end_sid(changes, seat, class, who.sid)
    redis.call('HSET', keys.seat, unpack(changes))
    let_expire(keys.seat, seat, keys.ticket, ticket, now)
  end
  if class ~= '' then
    redis.call('ZREM', keys.roster, roster_entry(who.node, who.incarnation, who.uid, class, who.sid))
  end
  return outcome
end
