-- assign v2: name the nodes that newcomers are sent to, and keep a place there for each.
--
-- Sessions and tickets handed out, held against capacity times weight, stay even over the nodes that live and are neither
-- being emptied nor full; those of the zone come first, the others when these are full. A place is kept until a session
-- arrives at the node or the time is over; times are rounded up to a second, so that a record stays small. A call that
-- is made again keeps more places, until their time is over.
--
-- @since 0.1.0
-- @mode write
-- @key nodes hash what each node last said of itself
-- @key leases zset until when each node is believed to live
-- @arg zone text where the newcomers want to be; empty for anywhere
-- @arg count int how many newcomers; empty for one
-- @arg reserve_ms int how long their places are kept
-- @effect reply node and address of the first, and nodes, each with its count (their sum may be less than was asked); or error no_node with retry_after_ms
-- @include now_ms
-- @include answer
-- @include open_nodes
-- @include spread
-- @change v2 keeps places, so that a burst between two beats spreads evenly; it knows weights, zones and batches.
local nodes_key, leases_key = KEYS[1], KEYS[2]
local zone, count, reserve_ms = ARGV[1], ARGV[2], ARGV[3]

-- 1. Read.
local now = now_ms()
local wanted, ends = tonumber(count) or 1, now + (tonumber(reserve_ms) or 0)
local open, first = open_nodes(nodes_key, leases_key, now)

-- 2. Decide.
local near, far = {}, {}
for _, each in ipairs(open) do
  local group = (zone == '' or each.record.zone == zone) and near or far
  group[#group + 1] = each
end
local given = spread(near, wanted)
given = given + spread(far, wanted - given)
if given == 0 then
  return answer({ error = 'no_node', retry_after_ms = math.max(first < math.huge and first - now or 0, 1000) })
end

-- 3. Write.
local bucket, list = string.format('%d', math.ceil(ends / 1000) * 1000), {}
for _, group in ipairs({ near, far }) do
  for _, each in ipairs(group) do
    if each.taken > 0 then
      each.record.reserved[bucket] = (each.record.reserved[bucket] or 0) + each.taken
      redis.call('HSET', nodes_key, each.name, cjson.encode(each.record))
      list[#list + 1] = { node = each.name, address = each.record.address, count = each.taken }
    end
  end
end
return answer({ node = list[1].node, address = list[1].address, nodes = list })
