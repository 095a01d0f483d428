-- beat v1: a node lives: its lease is renewed, its sessions and what it counted are noted.
--
-- @since 0.1.0
-- @mode write
-- @key nodes hash what each node last said of itself
-- @key leases zset until when each node is believed to live
-- @key scripts hash which version of each script is active
-- @key stats hash what each node counted of its scripts
-- @arg node text name of the node
-- @arg incarnation int its incarnation
-- @arg count int its sessions, summed over the shards
-- @arg lease_ms int how long this sign of life is good
-- @arg owner text identity of the node's data folder
-- @arg revision int revision of the active versions that the node runs
-- @arg trouble text why it cannot follow the fleet's; empty when it does
-- @arg body text JSON: what it counted of its scripts
-- @effect reply ok, with the fleet's revision; register (unknown here, or taken for dead); superseded (the name is another process' now)
-- @include now_ms
-- @include read_node
local nodes_key, leases_key, scripts_key, stats_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local node, incarnation, count, lease_ms, owner = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local revision, trouble, body = ARGV[6], ARGV[7], ARGV[8]

local now = now_ms()
local record = read_node(nodes_key, node)
local mine = tonumber(incarnation)
local outcome = 'ok'
if record and record.incarnation > mine and record.owner ~= owner then
  outcome = 'superseded'
elseif not record or record.incarnation ~= mine or record.dead then
  -- A newer incarnation of the same owner is this node's own registration, whose answer was lost.
  outcome = 'register'
end
if outcome ~= 'ok' then
  return { 1, { 'reply', 0, cjson.encode({ outcome = outcome, now = now }) } }
end
record.count, record.revision, record.trouble = tonumber(count), tonumber(revision), trouble
redis.call('HSET', nodes_key, node, cjson.encode(record))
redis.call('HSET', stats_key, node, body ~= '' and body or '{}')
redis.call('ZADD', leases_key, now + lease_ms, node)
return { 1, { 'reply', 0, cjson.encode({
  outcome = outcome, now = now, deadline = now + lease_ms,
  revision = tonumber(redis.call('HGET', scripts_key, 'revision') or nil) or 0,
}) } }
