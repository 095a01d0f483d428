-- take_seat: the newcomer sits down. Whoever sat there is put into the ring of ended sids, leaves the roster and is
-- kicked by name; so is a session that was reaped, should it still be alive.
-- Answers number, epoch, resumed, and kick (an effect, where there is someone to tell).
-- @include holder_of
-- @include end_sid
-- @include roster_entry
-- @include take_ticket
-- @include displace
-- @include add_trail
local function take_seat(keys, seat, ticket, new)
  local class, c = new.class, new.class .. ':'
  local holder, last, now = holder_of(seat, class), seat[c .. 'sid'], new.now
  local resumed = new.slot == 'held'
  local number = take_ticket(keys.ticket, ticket, new, holder and 'displaced' or 'superseded')
  local epoch = math.max((tonumber(seat[c .. 'epoch']) or 0) + 1, now)
  local seated = { number = number, epoch = epoch, resumed = resumed }
  local stamp = string.format('%d', now)

  -- 1. Whoever sat here, or was reaped and may live on, is told.
  if not holder then
    redis.call('HDEL', keys.seat, c .. 'end', c .. 'displaced', c .. 'displaced_node', c .. 'displaced_reason')
  end
  local changes = {
    c .. 'sid', new.sid, c .. 'node', new.node, c .. 'incarnation', new.incarnation, c .. 'epoch', epoch,
    c .. 'number', number, c .. 'since', stamp, c .. 'address', new.address, c .. 'version', new.version,
    c .. 'how', resumed and 'resumed' or 'taken',
  }
  if holder or seat[c .. 'end'] == 'reaped' then
    local n, reason, node = #changes, resumed and 'resumed' or 'displaced', seat[c .. 'node']
    seated.kick = displace(new.channel_prefix, node, new.uid, last, reason,
      { class = class, address = new.address, at = now, epoch = epoch, version = new.version })
    changes[n + 1], changes[n + 2], changes[n + 3], changes[n + 4] = c .. 'displaced', last, c .. 'displaced_node', node
    changes[n + 5], changes[n + 6] = c .. 'displaced_reason', reason
  end
  if holder then
    end_sid(changes, seat, class, holder)
    redis.call('ZREM', keys.roster, roster_entry(seat[c .. 'node'], seat[c .. 'incarnation'], new.uid, class, holder))
    if not resumed then
      add_trail(keys.trail, new.trail_max, stamp, 'displaced', class, holder, seat[c .. 'node'], seat[c .. 'address'],
        new.version, '')
    end
  end

  -- 2. The newcomer sits.
  redis.call('HSET', keys.seat, unpack(changes))
  if not holder then
    redis.call('PERSIST', keys.seat)
  end
  redis.call('ZADD', keys.roster, 0, roster_entry(new.node, new.incarnation, new.uid, class, new.sid))
  add_trail(keys.trail, new.trail_max, stamp, resumed and 'resumed' or 'taken', class, new.sid, new.node, new.address,
    new.version, '')
  return seated
end
