-- ticket v1: put the digest of a new ticket into the `next` slot of a seat.
--
-- An unused next ticket is replaced. The ticket that holds the seat stays good until the new one is used. Issuing the
-- very token that is held already only renews its deadline.
--
-- @since 0.1.0
-- @mode write
-- @key seat hash who holds the seats of the user
-- @key ticket hash the tickets of the user, two slots per class
-- @arg class text device class that the ticket is for
-- @arg token_digest text digest of the token
-- @arg ttl_ms int how long the ticket is good while nobody holds the seat
-- @effect reply number and deadline, in Redis' milliseconds; or error token_in_use, where another class has this token
-- @include now_ms
-- @include read_hash
-- @include let_expire
local seat_key, ticket_key = KEYS[1], KEYS[2]
local class, token_digest, ttl_ms = ARGV[1], ARGV[2], ARGV[3]

-- 1. Read.
local now = now_ms()
local seat, ticket = read_hash(seat_key), read_hash(ticket_key)
local held, next_slot, void = class .. ':held', class .. ':next', class .. ':void'
local last = math.max(tonumber(ticket[held .. '_number']) or 0, tonumber(ticket[next_slot .. '_number']) or 0,
  tonumber(seat[class .. ':number']) or 0)
local slot, number = next_slot, math.max(last + 1, now)
if ticket[held] == token_digest then
  slot, number = held, tonumber(ticket[held .. '_number'])
end

for field, value in pairs(ticket) do
  local other, name = string.match(field, '^(.+):(%l+)$')
  if value == token_digest and other ~= class and (name == 'held' or name == 'next') then
    return { 1, { 'reply', 0, cjson.encode({ error = 'token_in_use', class = other }) } }
  end
end

-- 2. Write.
local deadline = now + ttl_ms
ticket[slot .. '_until'] = deadline
redis.call('HSET', ticket_key, slot, token_digest, slot .. '_number', number, slot .. '_until', deadline,
  slot .. '_ttl', ttl_ms)
if ticket[void] == token_digest then
  redis.call('HDEL', ticket_key, void, void .. '_reason', void .. '_by', void .. '_at')
end
redis.call('PERSIST', ticket_key)
if next(seat) then
  redis.call('PERSIST', seat_key)
end
let_expire(seat_key, seat, ticket_key, ticket, now)
return { 1, { 'reply', 0, cjson.encode({ number = number, expires_at_ms = deadline }) } }
