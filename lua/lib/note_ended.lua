-- note_ended: keep for an hour up to which number no friendship with a peer stands any more, as #peer|number|at in the
-- field `|ended`: a call that was on its way all the time, or comes a second time, must not make it again. A call that
-- is older is refused by its not_after. At most 64 peers are kept, the last ones.
local function note_ended(friends_key, peer, number, now)
  local kept = {}
  for who, other, at in string.gmatch(redis.call('HGET', friends_key, '|ended') or '', '#([^|]+)|(%d+)|(%d+)') do
    if who == peer then
      number = math.max(number, tonumber(other))
    elseif tonumber(at) > now - 3600000 then
      kept[#kept + 1] = '#' .. who .. '|' .. other .. '|' .. at
    end
  end
  kept[#kept + 1] = string.format('#%s|%.0f|%.0f', peer, number, now)
  redis.call('HSET', friends_key, '|ended', table.concat(kept, '', math.max(1, #kept - 63)))
end
