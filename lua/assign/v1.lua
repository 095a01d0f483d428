-- assign v1: name the node that has the lowest share of its capacity in use.
--
-- Only nodes that live and are neither being emptied nor full are asked; among equals the first by name is taken.
--
-- @since 0.1.0
-- @mode read
-- @key nodes hash what each node last said of itself
-- @key leases zset until when each node is believed to live
-- @effect reply node and address, or error no_node with retry_after_ms
-- @include now_ms
-- @include read_node
local nodes_key, leases_key = KEYS[1], KEYS[2]

local best, best_load
local alive = redis.call('ZRANGEBYSCORE', leases_key, '(' .. now_ms(), '+inf')
table.sort(alive)
for _, node in ipairs(alive) do
  local record = read_node(nodes_key, node)
  local is_open = record and not record.draining and not record.dead and record.count < record.capacity
  local load = is_open and record.count / record.capacity
  if load and (not best or load < best_load) then
    best, best_load = { node = node, address = record.address }, load
  end
end
return { 1, { 'reply', 0, cjson.encode(best or { error = 'no_node', retry_after_ms = 1000 }) } }
