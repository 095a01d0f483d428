-- take_seat: the newcomer sits down. Whoever sat there is put into the ring of ended sids, leaves the roster and is
-- kicked by name; so is a session that was reaped, should it still be alive. The same sid again only repeats the kick.
-- Answers number, epoch, since, resumed, and kick (an effect, where there is someone to tell).
-- @include holder_of
-- @include end_sid
-- @include roster_entry
-- @include take_ticket
-- @include send_kick
-- @include add_trail
local function take_seat(keys, seat, ticket, new)
  local class, c = new.class, new.class .. ':'
  local holder, last = holder_of(seat, class), seat[c .. 'sid']
  local reason = new.slot == 'held' and 'resumed' or holder and 'displaced' or 'superseded'
  local by = { class = class, address = new.address, at = new.now }
  if holder == new.sid then
    local again = { number = take_ticket(keys.ticket, ticket, new, 'superseded'), epoch = tonumber(seat[c .. 'epoch']) }
    again.resumed = seat[c .. 'how'] == 'resumed'
    by.at, by.epoch = tonumber(seat[c .. 'since']), again.epoch
    if seat[c .. 'displaced'] then
      again.kick = send_kick(new.channel_prefix, seat[c .. 'displaced_node'], new.uid, seat[c .. 'displaced'],
        seat[c .. 'displaced_reason'], by)
    end
    redis.call('HSET', keys.seat, c .. 'number', again.number)
    return again
  end
  local seated = { number = take_ticket(keys.ticket, ticket, new, reason), resumed = new.slot == 'held' }
  seated.epoch = math.max((tonumber(seat[c .. 'epoch']) or 0) + 1, new.now)
  by.epoch = seated.epoch
  redis.call('HDEL', keys.seat, c .. 'end', c .. 'displaced', c .. 'displaced_node', c .. 'displaced_reason')
  if holder or seat[c .. 'end'] == 'reaped' then
    reason = seated.resumed and 'resumed' or 'displaced'
    seated.kick = send_kick(new.channel_prefix, seat[c .. 'node'], new.uid, last, reason, by)
    redis.call('HSET', keys.seat, c .. 'displaced', last, c .. 'displaced_node', seat[c .. 'node'],
      c .. 'displaced_reason', reason)
  end
  if holder then
    end_sid(keys.seat, seat, class, holder)
    redis.call('ZREM', keys.roster, roster_entry(seat[c .. 'node'], seat[c .. 'incarnation'], new.uid, class, holder))
  end
  if holder and not seated.resumed then
    add_trail(keys.trail, new.trail_max, new.now, 'displaced', class, holder, seat[c .. 'node'], seat[c .. 'address'],
      new.version, '')
  end
  local how = seated.resumed and 'resumed' or 'taken'
  redis.call('HSET', keys.seat, c .. 'sid', new.sid, c .. 'node', new.node, c .. 'incarnation', new.incarnation,
    c .. 'epoch', seated.epoch, c .. 'number', seated.number, c .. 'since', new.now, c .. 'address', new.address,
    c .. 'how', how, c .. 'version', new.version)
  redis.call('PERSIST', keys.seat)
  redis.call('ZADD', keys.roster, 0, roster_entry(new.node, new.incarnation, new.uid, class, new.sid))
  add_trail(keys.trail, new.trail_max, new.now, how, class, new.sid, new.node, new.address, new.version, '')
  return seated
end
