-- shorten_leases: time went back, so leases end later than they were meant to. None ends later than one lease from now,
-- and the tickets handed out before are taken for used.
-- @include record_of
local function shorten_leases(nodes_key, leases_key, now, lease_ms)
  local ahead = redis.call('ZRANGEBYSCORE', leases_key, '(' .. now, '+inf', 'WITHSCORES')
  for i = 1, #ahead, 2 do
    local record = record_of(redis.call('HGET', nodes_key, ahead[i]))
    local latest = now + (record and record.lease_ms or lease_ms)
    if tonumber(ahead[i + 1]) > latest then
      redis.call('ZADD', leases_key, latest, ahead[i])
    end
    if record and next(record.reserved) then
      record.reserved = {}
      redis.call('HSET', nodes_key, ahead[i], cjson.encode(record))
    end
  end
end
