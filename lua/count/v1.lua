-- count v1: the exact number of sessions of one incarnation of a node on this shard: the size of its roster range.
--
-- @since 0.1.0
-- @mode read
-- @key roster zset all sessions of the shard, ordered by node
-- @arg node text the node
-- @arg incarnation int its incarnation
-- @effect reply the count
local roster_key = KEYS[1]
local node, incarnation = ARGV[1], ARGV[2]

local prefix = node .. '#' .. incarnation
local count = redis.call('ZLEXCOUNT', roster_key, '[' .. prefix .. '|', '(' .. prefix .. '}')
return { 1, { 'reply', 0, cjson.encode({ count = count }) } }
