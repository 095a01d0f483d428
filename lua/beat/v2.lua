-- beat v2: a node lives: its lease is renewed, its sessions and what it counted are noted.
--
-- Each session that arrived uses up a ticket that was handed out for the node; a beat whose answer was lost is made
-- again with the same arrivals and may use up some twice, until those end by themselves.
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
-- @arg arrivals int sessions newly seated on the node since its last beat that was answered
-- @effect reply ok, with the fleet's revision, when the node was heard of before, its drain and how many leases are out; register (unknown here, or taken for dead); superseded (the name is another process' now)
-- @include now_ms
-- @include answer
-- @include record_of
-- @include use_reserved
-- @include give_sign
-- @change v2 ends reservations, finds out that all were silent or that time went back, and tells of drains and leases that are out.
local nodes_key, leases_key, scripts_key, stats_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local node, incarnation, count, lease_ms, owner = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local revision, trouble, body, arrivals = ARGV[6], ARGV[7], ARGV[8], ARGV[9]

-- 1. Guard.
local now, lease = now_ms(), tonumber(lease_ms)
local record = record_of(redis.call('HGET', nodes_key, node))
local mine = tonumber(incarnation)
if record and record.incarnation > mine and record.owner ~= owner then
  return answer({ outcome = 'superseded', now = now })
elseif not record or record.incarnation ~= mine or record.dead then
  -- A newer incarnation of the same owner is this node's own registration, whose answer was lost.
  return answer({ outcome = 'register', now = now })
end

-- 2. Write.
local before = record.at or 0
record.count, record.revision, record.trouble = tonumber(count), tonumber(revision), trouble
record.at, record.lease_ms = now, lease
use_reserved(record, now, tonumber(arrivals) or 0)
redis.call('HSET', nodes_key, node, cjson.encode(record))
redis.call('HSET', stats_key, node, body ~= '' and body or '{}')
give_sign(nodes_key, leases_key, node, now, lease)

-- 3. Tell.
local overdue = 0
for _, name in ipairs(redis.call('ZRANGEBYSCORE', leases_key, '-inf', now)) do
  overdue = overdue + (string.sub(name, 1, 1) == '|' and 0 or 1)
end
return answer({
  outcome = 'ok', now = now, deadline = now + lease, before = before, draining = record.draining,
  over_ms = record.over_ms, overdue = overdue, revision = tonumber(redis.call('HGET', scripts_key, 'revision') or nil) or 0,
})
