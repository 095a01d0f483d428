-- note_talk: a user talks with another: `create|update|flags` of the conversation, flags being d (deleted) and p (pined).
-- A new text brings a deleted one back. The time is kept to the second; of more than 500 the oldest goes that is not pined.
-- @include read_hash
local function note_talk(talks_key, peer, now)
  local talk = redis.call('HGET', talks_key, peer) or ''
  local create, update, flags = string.match(talk, '^(%d+)|(%d+)|(%l*)$')
  if not create and redis.call('HLEN', talks_key) >= 500 then
    local oldest, least = nil, math.huge
    for other, kept in pairs(read_hash(talks_key)) do
      local at = tonumber(string.match(kept, '^%d+|(%d+)|d?$')) or math.huge
      if at < least or at == least and other < (oldest or other) then
        oldest, least = other, at
      end
    end
    redis.call('HDEL', talks_key, oldest or peer)
  end
  if not create or math.abs(now - update) >= 1000 or string.find(flags, 'd') then
    flags = string.gsub(flags or '', 'd', '')
    redis.call('HSET', talks_key, peer, string.format('%s|%.0f|%s', create or string.format('%.0f', now), now, flags))
  end
end
