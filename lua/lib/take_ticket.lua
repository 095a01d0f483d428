-- take_ticket: the ticket that a session logs in with becomes the held one and loses its deadline. One that was held
-- before is void from now on, and remembers who took over, so that its device can be told.
local function take_ticket(ticket_key, ticket, new, reason)
  local held, used = new.class .. ':held', new.class .. ':' .. new.slot
  local number = ticket[used .. '_number']
  if new.slot == 'next' then
    local void = new.class .. ':void'
    if ticket[held] then
      redis.call('HSET', ticket_key, void, ticket[held], void .. '_reason', reason, void .. '_by', new.address,
        void .. '_at', new.now)
    end
    redis.call('HSET', ticket_key, held, new.digest, held .. '_number', number, held .. '_ttl', ticket[used .. '_ttl'])
    redis.call('HDEL', ticket_key, used, used .. '_number', used .. '_until', used .. '_ttl', held .. '_until')
  else
    redis.call('HDEL', ticket_key, held .. '_until')
  end
  redis.call('PERSIST', ticket_key)
  return tonumber(number)
end
