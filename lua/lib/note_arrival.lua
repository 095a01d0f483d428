-- note_arrival: a session took a seat of a user: what has to be told is noted in the presence of the shard.
-- A user who was away and comes is told to the friends. `how` is `+` where they believe what was told last, and `~` where
-- that is not certain (the store forgot), so that they are told in any case. Where they believe that the user is on line
-- (another seat was held, or the absence was too short to be told), and where somebody tells already and will find out by
-- itself, only the new session has to learn which friends are on line: `=`.
local function note_arrival(presence_key, uid, was_held, how, now)
  local is_news = not was_held and redis.call('ZREM', presence_key, '-' .. uid) == 0
  local scores = redis.call('ZMSCORE', presence_key, '~' .. uid, '+' .. uid)
  if is_news and not scores[1] then
    redis.call('ZREM', presence_key, '=' .. uid)
    redis.call('ZADD', presence_key, now, how .. uid)
  elseif not scores[2] then
    -- Not in this very millisecond: a claim of before would look like the next one.
    redis.call('ZADD', presence_key, now + 1, '=' .. uid)
  end
end
