-- open_nodes: the nodes that take newcomers, by name: they live, are not being emptied, and have room. Each has its
-- name and record, `used` (sessions that it holds, and tickets handed out for it), `room` (how many more it takes) and
-- `size` (what `used` is held against). Answers also when the first lease or reservation of those that live ends.
-- @include record_of
-- @include count_reserved
local function open_nodes(nodes_key, leases_key, now)
  local leases, names, open, first = {}, {}, {}, math.huge
  local flat = redis.call('ZRANGEBYSCORE', leases_key, '(' .. now, '+inf', 'WITHSCORES')
  for i = 1, #flat, 2 do
    names[#names + 1], leases[flat[i]] = flat[i], tonumber(flat[i + 1])
  end
  table.sort(names)
  local records = #names > 0 and redis.call('HMGET', nodes_key, unpack(names)) or {}
  for i, name in ipairs(names) do
    local record = record_of(records[i])
    if record and not record.dead then
      local reserved, ends = count_reserved(record, now)
      local used, size = record.count + reserved, record.capacity * record.weight
      first = math.min(first, leases[name], ends)
      if not record.draining and used < record.capacity and size > 0 then
        open[#open + 1] = { name = name, record = record, used = used, size = size, room = record.capacity - used }
      end
    end
  end
  return open, first
end
