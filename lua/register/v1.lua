-- register v1: a node starts, or starts anew after it was taken for dead, and gets a new incarnation.
--
-- A name whose lease still runs is given only to its owner (the same data folder, whose lock proves that the process
-- before is gone) or on demand. The store is marked with its schema, its number of shards and an identity.
--
-- @since 0.1.0
-- @mode write
-- @key nodes hash what each node last said of itself
-- @key leases zset until when each node is believed to live
-- @key meta hash schema version, number of shards, identity of the store
-- @arg node text name of the node
-- @arg owner text identity of the node's data folder
-- @arg address text where clients reach it
-- @arg capacity int sessions that it is willing to hold
-- @arg lease_ms int how long the registration is good without a beat
-- @arg takeover text 1 to take the name although its lease runs
-- @arg shards int number of shards that the node counts with
-- @arg store text identity for a store that has none
-- @effect reply registered, taken, shards or schema, and what goes with it
-- @include now_ms
-- @include read_node
local nodes_key, leases_key, meta_key = KEYS[1], KEYS[2], KEYS[3]
local node, owner, address, capacity = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lease_ms, takeover, shards, store = ARGV[5], ARGV[6], ARGV[7], ARGV[8]

local function answer(fields)
  return { 1, { 'reply', 0, cjson.encode(fields) } }
end

-- 1. Guard.
local now = now_ms()
local meta = redis.call('HMGET', meta_key, 'schema', 'shards', 'store')
if meta[1] and meta[1] ~= '1' then
  return answer({ outcome = 'schema', schema = meta[1] })
end
if meta[2] and meta[2] ~= shards then
  return answer({ outcome = 'shards', shards = tonumber(meta[2]) })
end
local record = read_node(nodes_key, node)
local deadline = tonumber(redis.call('ZSCORE', leases_key, node) or nil) or 0
if record and deadline > now and record.owner ~= owner and takeover ~= '1' then
  return answer({ outcome = 'taken', address = record.address, retry_after_ms = deadline - now })
end

-- 2. Write.
local incarnation = math.max((record and record.incarnation or 0) + 1, now)
if not meta[1] then
  redis.call('HSET', meta_key, 'schema', '1', 'shards', shards, 'store', store)
end
redis.call('HSET', nodes_key, node, cjson.encode({
  address = address, capacity = tonumber(capacity), count = 0, incarnation = incarnation, owner = owner, draining = false,
}))
redis.call('ZADD', leases_key, now + lease_ms, node)
return answer({
  outcome = 'registered', incarnation = incarnation, now = now, deadline = now + lease_ms, store = meta[3] or store,
})
