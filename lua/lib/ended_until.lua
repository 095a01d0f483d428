-- ended_until: up to which number no friendship with a peer stands any more, as `note_ended` keeps it; else 0.
local function ended_until(friends_key, peer)
  for who, number in string.gmatch(redis.call('HGET', friends_key, '|ended') or '', '#([^|]+)|(%d+)') do
    if who == peer then
      return tonumber(number)
    end
  end
  return 0
end
