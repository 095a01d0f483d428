-- nodes v2: every node that the directory knows.
--
-- @since 0.1.0
-- @mode read
-- @key nodes hash what each node last said of itself
-- @key leases zset until when each node is believed to live
-- @key stats hash what each node counted of its scripts
-- @effect reply the nodes, by name, each with its state (live, draining, dead, left); count, revision, trouble and stats are those of the node's last beat, reserved are the tickets handed out for it
-- @include now_ms
-- @include read_hash
-- @include record_of
-- @include count_reserved
-- @change v2 tells state, weight, zone, reservations, the last sign of life and the drain, and passes over records that cannot be read.
local nodes_key, leases_key, stats_key = KEYS[1], KEYS[2], KEYS[3]

local now, names, list = now_ms(), {}, {}
local records = read_hash(nodes_key)
for node, text in pairs(records) do
  records[node] = record_of(text)
  names[#names + 1] = records[node] and node
end
table.sort(names)
for i, node in ipairs(names) do
  local record = records[node]
  local deadline = tonumber(redis.call('ZSCORE', leases_key, node) or nil) or 0
  local is_live = not record.dead and deadline > now
  local stats = redis.call('HGET', stats_key, node)
  -- What is no JSON would spoil the whole answer.
  stats = stats and pcall(cjson.decode, stats) and stats or '{}'
  list[i] = string.sub(cjson.encode({
    name = node, address = record.address, live = is_live, count = record.count, capacity = record.capacity,
    incarnation = record.incarnation, draining = record.draining, lease_ms = is_live and deadline - now or 0,
    revision = record.revision, trouble = record.trouble, weight = record.weight, zone = record.zone, at = record.at,
    over_ms = record.over_ms, reserved = (count_reserved(record, now)),
    state = record.left and 'left' or not is_live and 'dead' or record.draining and 'draining' or 'live',
  }), 1, -2) .. ',"stats":' .. stats .. '}'
end
return { 1, { 'reply', 0, '{"nodes":[' .. table.concat(list, ',') .. ']}' } }
