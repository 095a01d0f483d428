-- mark v1: decide which nodes are dead: those whose lease is out, while the fleet is calm.
--
-- It is not calm for one lease after all nodes were silent for longer than half of one, or the directory was lost: it was
-- the store that was away, and nobody is marked. Nor is it as long as nobody came back. Whoever is marked is told to
-- register anew by its next beat, so what its incarnation left may be removed. What died an hour ago is forgotten.
--
-- A reaper asks whose sessions stand in the rosters (`owners`) before it asks here: whoever has any was known before, so
-- a name that is not told here is nobody's. An incarnation above the one that is told is not dead because that one is:
-- the directory fell back, and the node will register anew.
--
-- @since 0.1.0
-- @mode write
-- @key nodes hash what each node last said of itself
-- @key leases zset until when each node is believed to live
-- @key stats hash what each node counted of its scripts
-- @effect reply marked (how many this very call found dead), calm, retry_after_ms where it is not, and all nodes that the directory knows: name, incarnation (0 where its record cannot be read), dead
-- @include now_ms
-- @include read_hash
-- @include record_of
local nodes_key, leases_key, stats_key = KEYS[1], KEYS[2], KEYS[3]

-- 1. Read.
local now, names, leases, shortest = now_ms(), {}, {}, nil
local texts, records = read_hash(nodes_key), {}
local flat = redis.call('ZRANGE', leases_key, 0, -1, 'WITHSCORES')
for i = 1, #flat, 2 do
  leases[flat[i]] = tonumber(flat[i + 1])
  names[#names + 1] = string.sub(flat[i], 1, 1) ~= '|' and not texts[flat[i]] and flat[i] or nil
end
for name, text in pairs(texts) do
  local record = record_of(text)
  names[#names + 1], records[name] = name, record
  if record and not record.dead then
    shortest = math.min(shortest or record.lease_ms, record.lease_ms)
  end
end
table.sort(names)

-- 2. Decide.
local last, settled = leases['|beat'], leases['|calm'] or 0
local is_silent = not last or now - last > (shortest or math.huge) / 2
local is_calm = not is_silent and now >= settled

-- 3. Write.
local list, marked = {}, 0
for _, name in ipairs(names) do
  local record, is_leased = records[name], (leases[name] or 0) > now
  if is_calm and not is_leased and not (record and record.dead) then
    marked = marked + 1
    redis.call('ZREM', leases_key, name)
    redis.call('HDEL', stats_key, name)
    if record then
      record.dead = now
      redis.call('HSET', nodes_key, name, cjson.encode(record))
    else
      redis.call('HDEL', nodes_key, name)
    end
  end
  if record and record.dead and now - (tonumber(record.dead) or 0) > 3600000 then
    redis.call('HDEL', nodes_key, name)
  elseif record or is_leased or not is_calm then
    list[#list + 1] = cjson.encode({
      name = name, incarnation = record and record.incarnation or 0, dead = record and record.dead and true or false,
    })
  end
end
local wait = math.max(settled - now, is_silent and (shortest or 1000) or 0, 0)
return { 1, { 'reply', 0, string.format('{"now":%d,"marked":%d,"calm":%s,"retry_after_ms":%d,"nodes":[%s]}', now, marked,
  tostring(is_calm), wait, table.concat(list, ',')) } }
