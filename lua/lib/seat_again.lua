-- seat_again: put a live session back into a store that forgot it, or took it for dead: its seat, its ticket where
-- the store has no higher one, its roster entry. A next ticket that is not newer than its own was used up or replaced
-- before the store forgot, so it goes. Answers number and epoch, which never fall; the epoch grows if another had the seat.
-- @include roster_entry
local function seat_again(keys, seat, ticket, mine, now)
  local c, held, unused = mine.class .. ':', mine.class .. ':held', mine.class .. ':next'
  local step = seat[c .. 'sid'] == mine.sid and 0 or 1
  local number = tonumber(mine.number)
  if step == 0 then
    number = math.max(number, tonumber(seat[c .. 'number']) or 0)
  end
  local epoch = math.max(tonumber(mine.epoch), (tonumber(seat[c .. 'epoch']) or 0) + step)
  for turn = 1, 4 do
    if seat[c .. 'ended' .. turn] == mine.sid then
      redis.call('HDEL', keys.seat, c .. 'ended' .. turn)
    end
  end
  redis.call('HDEL', keys.seat, c .. 'end', c .. 'displaced', c .. 'displaced_node', c .. 'displaced_reason')
  redis.call('HSET', keys.seat, c .. 'sid', mine.sid, c .. 'node', mine.node, c .. 'incarnation', mine.incarnation,
    c .. 'epoch', epoch, c .. 'number', number, c .. 'since', seat[c .. 'since'] or now,
    c .. 'address', mine.address, c .. 'how', step == 0 and seat[c .. 'how'] or 'verified', c .. 'version', mine.version)
  redis.call('PERSIST', keys.seat)
  if (tonumber(ticket[held .. '_number']) or 0) < tonumber(mine.number) then
    redis.call('HSET', keys.ticket, held, mine.token_digest, held .. '_number', mine.number, held .. '_ttl', mine.ttl_ms)
  end
  if (tonumber(ticket[unused .. '_number']) or math.huge) <= tonumber(mine.number) then
    redis.call('HDEL', keys.ticket, unused, unused .. '_number', unused .. '_until', unused .. '_ttl')
  end
  redis.call('HDEL', keys.ticket, held .. '_until')
  redis.call('PERSIST', keys.ticket)
  redis.call('ZADD', keys.roster, 0, roster_entry(mine.node, mine.incarnation, mine.uid, mine.class, mine.sid))
  return number, epoch
end
