-- end_session: compare-and-remove. Only the session that holds the seat can empty it; any other sid is noted as
-- ended, so that a late login of it finds the door closed, and its stray roster entry is removed. Answers how it went:
-- the reason given, `ended` (was over already), `never` (never held a seat) or `moved` (a reap found that the session
-- lives on under a newer incarnation of its node). The trail stays for 30 days after the last end.
-- @include read_hash
-- @include has_ended
-- @include vacate_seat
-- @include add_trail
local function end_session(keys, who, reason, now)
  local seat, ticket = read_hash(keys.seat), read_hash(keys.ticket)
  local class, outcome = who.class, 'never'
  for field, value in pairs(seat) do
    if who.class == '' and value == who.sid then
      class = string.match(field, '^(.+):sid$') or string.match(field, '^(.+):ended%d$') or class
    end
  end
  local is_last = class ~= '' and seat[class .. ':sid'] == who.sid
  if is_last and reason == 'reaped' and seat[class .. ':incarnation'] ~= who.incarnation then
    redis.call('ZREM', keys.roster, roster_entry(who.node, who.incarnation, who.uid, class, who.sid))
    return 'moved'
  end
  if is_last and holder_of(seat, class) then
    vacate_seat(keys.seat, seat, keys.ticket, ticket, keys.roster, who.uid, class, reason, now)
    add_trail(keys.trail, who.trail_max, now, reason, class, who.sid, seat[class .. ':node'],
      seat[class .. ':address'], who.version, '')
    redis.call('PEXPIRE', keys.trail, 2592000000)
    return reason
  end
  if has_ended(seat, class, who.sid) then
    outcome = 'ended'
    if is_last and seat[class .. ':end'] == 'reaped' then
      -- It lived on after all and ends only now; verify must not seat it again.
      redis.call('HSET', keys.seat, class .. ':end', reason)
    end
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
