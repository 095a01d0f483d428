-- take_ticket: the ticket that a session logs in with becomes the held one and loses its deadline; answers its number.
-- One that was held before is void from now on, and remembers who took over, so that its device can be told.
local function take_ticket(ticket_key, ticket, new, reason)
  local held, used = new.class .. ':held', new.class .. ':' .. new.slot
  local number, is_dated = ticket[used .. '_number'], ticket[held .. '_until']
  if new.slot == 'next' then
    local void = new.class .. ':void'
    if ticket[held] then
      redis.call('HSET', ticket_key, void, ticket[held], void .. '_reason', reason, void .. '_by', new.address,
        void .. '_at', new.now)
    end
    redis.call('HSET', ticket_key, held, new.digest, held .. '_number', number, held .. '_ttl', ticket[used .. '_ttl'])
    redis.call('HDEL', ticket_key, used, used .. '_number', used .. '_until', used .. '_ttl', held .. '_until')
  elseif is_dated then
    redis.call('HDEL', ticket_key, held .. '_until')
  end
  if is_dated or new.slot == 'next' then
    redis.call('PERSIST', ticket_key)
  end
  return tonumber(number)
end
