-- drain v1: a node is to be emptied, or takes newcomers again. It hears of it with its next beat.
--
-- @since 0.1.0
-- @mode write
-- @key nodes hash what each node last said of itself
-- @key leases zset until when each node is believed to live
-- @arg node text name of the node
-- @arg draining text 1 to empty it; empty to let newcomers in again
-- @arg over_ms int over how long its sessions are sent away
-- @effect reply draining, undrained, unknown or dead, with the node's sessions and how many other nodes take newcomers
-- @include now_ms
-- @include answer
-- @include open_nodes
local nodes_key, leases_key = KEYS[1], KEYS[2]
local node, draining, over_ms = ARGV[1], ARGV[2], ARGV[3]

local now, others = now_ms(), 0
local record = record_of(redis.call('HGET', nodes_key, node))
local deadline = tonumber(redis.call('ZSCORE', leases_key, node) or nil) or 0
for _, each in ipairs(open_nodes(nodes_key, leases_key, now)) do
  others = others + (each.name ~= node and 1 or 0)
end
if not record or record.dead or deadline <= now then
  return answer({ outcome = record and 'dead' or 'unknown', count = record and record.count or 0, others = others })
end
record.draining = draining == '1'
record.over_ms = record.draining and tonumber(over_ms) or 0
redis.call('HSET', nodes_key, node, cjson.encode(record))
return answer({ outcome = record.draining and 'draining' or 'undrained', count = record.count, others = others })
