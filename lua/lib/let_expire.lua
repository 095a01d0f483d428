-- let_expire: once no class of a user is held, the seat keeps its tombstones for an hour, and the tickets go an
-- hour after the last of them ran out. Whoever takes a seat persists both again.
-- @include holder_of
local function let_expire(seat_key, seat, ticket_key, ticket, now)
  local last = now
  for field, value in pairs(seat) do
    local class = string.match(field, '^(.+):sid$')
    if class and holder_of(seat, class) then
      return
    end
  end
  for field, value in pairs(ticket) do
    if string.find(field, '_until$') then
      last = math.max(last, tonumber(value))
    end
  end
  redis.call('PEXPIRE', seat_key, 3600000)
  redis.call('PEXPIREAT', ticket_key, last + 3600000)
end
