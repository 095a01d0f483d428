-- give_sign: a node lives: its lease is renewed. Beside the leases stand two members that no node can be called:
-- `|beat`, when any node was heard of last, and `|calm`, until when nobody is taken for dead. Where all were silent for
-- longer than half a lease, or the directory was lost, it was the store that was away: each node gets one lease to come
-- back. Half, because the others' leases end up to one beat before that of the last who was heard.
-- @include shorten_leases
local function give_sign(nodes_key, leases_key, node, now, lease_ms)
  local last = tonumber(redis.call('ZSCORE', leases_key, '|beat') or nil)
  if not last or now - last > lease_ms / 2 then
    redis.call('ZADD', leases_key, now + lease_ms, '|calm')
  elseif now < last then
    shorten_leases(nodes_key, leases_key, now, lease_ms)
  end
  redis.call('ZADD', leases_key, now, '|beat', now + lease_ms, node)
end
