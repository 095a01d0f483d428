-- take_back: a live session gets its seat back from a store that forgot it, and whoever of lower rank sat there is
-- kicked. Answers the bind and, where there is someone to tell, the kick.
-- @include holder_of
-- @include end_sid
-- @include seat_again
-- @include displace
-- @include add_trail
local function take_back(keys, seat, ticket, mine, now)
  local class, c = mine.class, mine.class .. ':'
  local other, kick = holder_of(seat, class), nil
  local former = seat[c .. 'sid'] and roster_entry(seat[c .. 'node'], seat[c .. 'incarnation'], mine.uid, class, seat[c .. 'sid'])
  if other and other ~= mine.sid then
    local changes = {}
    end_sid(changes, seat, class, other)
    redis.call('HSET', keys.seat, unpack(changes))
  end
  if former then
    redis.call('ZREM', keys.roster, former)
  end
  local number, epoch = seat_again(keys, seat, ticket, mine, now)
  if other and other ~= mine.sid then
    kick = displace(mine.channel_prefix, seat[c .. 'node'], mine.uid, other, 'displaced',
      { class = class, address = mine.address, at = now, epoch = epoch, version = mine.version })
  end
  add_trail(keys.trail, mine.trail_max, now, 'verified', class, mine.sid, mine.node, mine.address, mine.version, '')
  return { 'bind', mine.uid, class, number, epoch }, kick
end
