-- nodes v1: every node that the directory knows.
--
-- @since 0.1.0
-- @mode read
-- @key nodes hash what each node last said of itself
-- @key leases zset until when each node is believed to live
-- @key stats hash what each node counted of its scripts
-- @effect reply the nodes, by name; count, revision, trouble and stats are those of the node's last beat
-- @include now_ms
-- @include read_hash
local nodes_key, leases_key, stats_key = KEYS[1], KEYS[2], KEYS[3]

local now, names, list = now_ms(), {}, {}
local records = read_hash(nodes_key)
for node in pairs(records) do
  names[#names + 1] = node
end
table.sort(names)
for i, node in ipairs(names) do
  local record = cjson.decode(records[node])
  local deadline = tonumber(redis.call('ZSCORE', leases_key, node) or nil) or 0
  local stats = redis.call('HGET', stats_key, node)
  -- What is no JSON would spoil the whole answer.
  stats = stats and pcall(cjson.decode, stats) and stats or '{}'
  list[i] = string.sub(cjson.encode({
    name = node, address = record.address, live = deadline > now, count = record.count, capacity = record.capacity,
    incarnation = record.incarnation, draining = record.draining, lease_ms = math.max(deadline - now, 0),
    revision = record.revision, trouble = record.trouble,
  }), 1, -2) .. ',"stats":' .. stats .. '}'
end
return { 1, { 'reply', 0, '{"nodes":[' .. table.concat(list, ',') .. ']}' } }
