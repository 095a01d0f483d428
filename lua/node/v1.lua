-- node v1: what the directory says of one node, for those who ask whether a seat on it counts.
--
-- @since 0.1.0
-- @mode read
-- @key nodes hash what each node last said of itself
-- @key leases zset until when each node is believed to live
-- @arg node text name of the node
-- @effect reply state: live, draining, dead, left, or unknown where the directory has nothing that can be read
-- @include now_ms
-- @include answer
-- @include record_of
local nodes_key, leases_key = KEYS[1], KEYS[2]
local node = ARGV[1]

local record = record_of(redis.call('HGET', nodes_key, node))
local deadline = tonumber(redis.call('ZSCORE', leases_key, node) or nil) or 0
local is_live = record and not record.dead and deadline > now_ms()
local state = not record and 'unknown' or record.left and 'left' or not is_live and 'dead' or record.draining and 'draining' or 'live'
return answer({ state = state })
