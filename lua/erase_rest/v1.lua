-- erase_rest v1: what is left of a user whose friends were told goes at once.
--
-- The mark stays for an hour, as the tombstones of the seats do, and says that there is no such user: an approval that
-- was on its way must not find one. Whoever writes a profile anew takes it away.
--
-- @since 0.1.0
-- @mode repeat
-- @key ticket hash the tickets of the user, two slots per class
-- @key user hash profile of the user
-- @key friends hash what the user has agreed with others
-- @key applies hash applications to the user that are open
-- @key inbox list messages that the user has not got yet
-- @key delivery hash how far the sessions of the user have got in the inbox
-- @key seen zset messages that the user was sent lately
-- @key talks hash with whom the user talked, and when
-- @effect reply left: 0 where it is done, else how many have to be looked at by erase first
-- @include answer
local ticket_key, user_key, friends_key, applies_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local inbox_key, delivery_key, seen_key, talks_key = KEYS[5], KEYS[6], KEYS[7], KEYS[8]

-- Somebody may have become a friend since: an application of the user was approved.
local left = redis.call('HLEN', friends_key)
if left == 0 then
  redis.call('DEL', ticket_key, user_key, friends_key, applies_key, inbox_key, delivery_key, seen_key, talks_key)
  redis.call('HSET', user_key, '|erasing', 'done')
  redis.call('PEXPIRE', user_key, 3600000)
end
return answer({ left = left })
