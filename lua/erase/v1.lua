-- erase v1: a page of a user's friends, each as a call that ends the friendship on the other side; for good.
--
-- The first call marks the profile, so that it is not written any more, and frees the name. Pages are asked for until
-- none is left, then erase_rest removes what remains. All of it may be stopped and repeated anywhere.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key user hash profile of the user
-- @key friends hash what the user has agreed with others
-- @key trail list the last events of the user's seats
-- @arg uid text the user
-- @arg cursor text where the page before ended, empty at the start
-- @arg page_max int most entries of this page
-- @effect call unfriended, for each friend; release_name
-- @effect reply the cursor of the next page, and left: how many of this page have to be looked at again; or error held
-- @include now_ms
-- @include read_hash
-- @include held_seats
-- @include sorted_page
-- @include answer
local seat_key, user_key, friends_key, trail_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local uid, cursor, page_max = ARGV[1], ARGV[2], ARGV[3]

local seat = read_hash(seat_key)
if held_seats(seat)[1] then
  return answer({ error = 'held' })
end

-- 1. The user: closed to writers, name free. The tombstones of the seats keep sessions out that live on, until they
-- expire; where they were is of no use to them.
local effects = { 1 }
redis.call('HSET', user_key, '|erasing', string.format('%.0f', now_ms()))
redis.call('PERSIST', user_key)
local name = cursor == '' and redis.call('HGET', user_key, 'name')
if name then
  effects[2] = { 'call', 'release_name', name, 'peer', uid }
end
for field in pairs(seat) do
  if string.find(field, ':address$') then
    redis.call('HDEL', seat_key, field)
  end
end
redis.call('DEL', trail_key)

-- 2. Friends: removed here, and to be told there. Who is blocked or watches has nothing to be told.
local page, more = sorted_page(redis.call('HKEYS', friends_key), cursor, page_max)
local left = 0
for i, value in ipairs(page[1] and redis.call('HMGET', friends_key, unpack(page)) or {}) do
  local copy = string.match(value, '^~?({.+)$')
  local since = copy and string.format('%.0f', cjson.decode(copy).since or 0) or string.match(value, '^!?%-(%d+)$')
  if since then
    redis.call('HSET', friends_key, page[i], '-' .. since)
    effects[#effects + 1] = { 'call', 'unfriended', page[i], 'peer', uid, 'since', since }
    left = left + 1
  else
    redis.call('HDEL', friends_key, page[i])
  end
end
effects[#effects + 1] = { 'reply', 0, cjson.encode({ cursor = more, left = left }) }
return effects
