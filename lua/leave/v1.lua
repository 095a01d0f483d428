-- leave v1: a node stops in order: it is no longer listed, and nobody has to wait for its lease.
--
-- @since 0.1.0
-- @mode write
-- @key nodes hash what each node last said of itself
-- @key leases zset until when each node is believed to live
-- @key stats hash what each node counted of its scripts
-- @arg node text name of the node
-- @arg incarnation int its incarnation; a newer one is left alone
-- @effect reply left, or superseded
-- @include read_node
local nodes_key, leases_key, stats_key = KEYS[1], KEYS[2], KEYS[3]
local node, incarnation = ARGV[1], ARGV[2]

local record = read_node(nodes_key, node)
local is_mine = record and record.incarnation == tonumber(incarnation)
if is_mine then
  redis.call('HDEL', nodes_key, node)
  redis.call('HDEL', stats_key, node)
  redis.call('ZREM', leases_key, node)
end
return { 1, { 'reply', 0, cjson.encode({ outcome = is_mine and 'left' or 'superseded' }) } }
