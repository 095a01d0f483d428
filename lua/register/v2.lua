-- register v2: a node starts, or starts anew after it was taken for dead, and gets a new incarnation.
--
-- A name whose lease still runs is given only to its owner (the same data folder, whose lock proves that the process
-- before is gone) or on demand. The store is marked with its schema, its number of shards and an identity. A process
-- that starts ends a drain; one that registers anew, and says so by the incarnation that it had, goes on being drained.
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
-- @arg weight int share of the newcomers that it takes, beside its capacity
-- @arg zone text where it stands
-- @arg incarnation int the one that this very process had before; 0 or empty where it starts
-- @effect reply registered, taken, shards or schema, and what goes with it
-- @include now_ms
-- @include answer
-- @include record_of
-- @include give_sign
-- @change v2 notes weight, zone, lease and time, takes the names of the dead, outlives a lost directory and time that goes back.
local nodes_key, leases_key, meta_key = KEYS[1], KEYS[2], KEYS[3]
local node, owner, address, capacity = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lease_ms, takeover, shards, store = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local weight, zone, incarnation = ARGV[9], ARGV[10], ARGV[11]

-- 1. Guard.
local now, lease = now_ms(), tonumber(lease_ms)
local meta = redis.call('HMGET', meta_key, 'schema', 'shards', 'store')
if meta[1] and meta[1] ~= '1' then
  return answer({ outcome = 'schema', schema = meta[1] })
end
if meta[2] and meta[2] ~= shards then
  return answer({ outcome = 'shards', shards = tonumber(meta[2]) })
end
local record = record_of(redis.call('HGET', nodes_key, node))
local deadline = tonumber(redis.call('ZSCORE', leases_key, node) or nil) or 0
if record and not record.dead and deadline > now and record.owner ~= owner and takeover ~= '1' then
  -- More than a lease ahead lies only what was noted before time went back.
  local left = math.min(deadline - now, record.lease_ms)
  return answer({ outcome = 'taken', address = record.address, retry_after_ms = left })
end

-- 2. Decide.
local former = tonumber(incarnation) or 0
local mine = record or { incarnation = 0, reserved = {} }
if former == 0 or mine.owner ~= owner then
  mine.draining, mine.over_ms, mine.count, mine.revision, mine.trouble = false, 0, 0, nil, nil
end
mine.incarnation = math.max(mine.incarnation + 1, former + 1, now)
mine.address, mine.capacity, mine.owner = address, tonumber(capacity), owner
mine.weight, mine.zone, mine.lease_ms, mine.at = tonumber(weight) or 100, zone, lease, now
mine.dead, mine.left = nil, nil

-- 3. Write.
if not meta[1] then
  redis.call('HSET', meta_key, 'schema', '1', 'shards', shards, 'store', store)
end
redis.call('HSET', nodes_key, node, cjson.encode(mine))
give_sign(nodes_key, leases_key, node, now, lease)
return answer({
  outcome = 'registered', incarnation = mine.incarnation, now = now, deadline = now + lease, store = meta[3] or store,
  draining = mine.draining, over_ms = mine.over_ms,
})
