-- note_departure: the last seat of a user became empty: friends are told once grace_ms have passed, until then the user
-- counts as on line. Where they had yet to be told that the user came, there is nothing to tell.
local function note_departure(presence_key, uid, grace_ms, now)
  redis.call('ZREM', presence_key, '=' .. uid)
  if redis.call('ZREM', presence_key, '+' .. uid) == 0 then
    redis.call('ZADD', presence_key, now + (tonumber(grace_ms) or 0), '-' .. uid)
  end
end
