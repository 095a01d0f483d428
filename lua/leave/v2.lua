-- leave v2: a node stops in order: nobody is sent there any more, and nobody has to wait for its lease.
--
-- @since 0.1.0
-- @mode write
-- @key nodes hash what each node last said of itself
-- @key leases zset until when each node is believed to live
-- @key stats hash what each node counted of its scripts
-- @arg node text name of the node
-- @arg incarnation int its incarnation; a newer one is left alone
-- @effect reply left, or superseded
-- @include now_ms
-- @include answer
-- @include record_of
-- @change v2 keeps the record for a while, so that no incarnation is given twice.
local nodes_key, leases_key, stats_key = KEYS[1], KEYS[2], KEYS[3]
local node, incarnation = ARGV[1], ARGV[2]

local record = record_of(redis.call('HGET', nodes_key, node))
if not record or record.dead or record.incarnation ~= tonumber(incarnation) then
  return answer({ outcome = 'superseded' })
end
record.dead, record.left = now_ms(), true
redis.call('HSET', nodes_key, node, cjson.encode(record))
redis.call('HDEL', stats_key, node)
redis.call('ZREM', leases_key, node)
return answer({ outcome = 'left' })
