-- add_notice: put a notification into the inbox of a user who is off line, as `id|n|from|at|until|json`; it waits for 30
-- days, or for a ttl that is given. Where `max` entries wait already the oldest notification goes; if all are texts,
-- these count for more, and nothing is added. Answers whether it was.
-- @include uid_in
local function add_notice(inbox_key, delivery_key, now, notice_json, max, ttl)
  local waiting, dropped = redis.call('LLEN', inbox_key), 0
  if waiting >= tonumber(max) then
    local oldest, first = nil, 0
    while first < waiting and not oldest do
      for _, entry in ipairs(redis.call('LRANGE', inbox_key, first, first + 99)) do
        oldest = oldest or string.match(entry, '^%d+|n|.*$')
      end
      first = first + 100
    end
    if not oldest then
      return false
    end
    redis.call('LREM', inbox_key, 1, oldest)
    dropped = #oldest
  end
  local last = tonumber(redis.call('HGET', delivery_key, 'last') or nil) or 0
  local id, from = math.max(last + 1, now), cjson.decode(notice_json).uid
  local till = now + (ttl or 2592000000)
  local entry = string.format('%.0f|n|%s|%.0f|%.0f|%s', id, uid_in(from) or from, now, till, notice_json)
  redis.call('RPUSH', inbox_key, entry)
  redis.call('HSET', delivery_key, 'last', string.format('%.0f', id))
  redis.call('HINCRBY', delivery_key, 'bytes', #entry - dropped)
  redis.call('PERSIST', delivery_key)
  return true
end
