-- tell_friends v1: a page of the friends of a user, each as a call that tells what is true of the user now, or asks.
--
-- On line is who holds a seat, and who left it so lately that it is not told. A cursor holds the claim, what is being told
-- and the last friend. The next page is asked for once all calls of this one were carried out, and not at all if one of them
-- failed: then somebody begins again when the claim is over. If the truth changed meanwhile, all are told anew from the
-- first. The page after the last one finds nobody: only then is it certain that all were told, and the member goes.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key friends hash friends and watchers of the user
-- @key user hash profile of the user, for the notice
-- @key presence zset users of the shard of whom something has yet to be told
-- @arg uid text the user
-- @arg reason text what is claimed: ~ friends are told, = they are asked only
-- @arg cursor text what the page before answered, or the call of presence gave
-- @arg page_max int most friends of this page
-- @effect call tell, for each friend
-- @effect reply the cursor of the next page (empty: nothing is left to do) and gather, the script that gets the answers
-- @include now_ms
-- @include read_hash
-- @include held_seats
-- @include answer
-- @include sorted_page
-- @include claim_presence
-- @include keeps_claim
local seat_key, friends_key, user_key, presence_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local uid, reason, cursor, page_max = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- 1. Guard: the claim is over, or something new happened.
local now, member = now_ms(), reason .. uid
local claim, told, last = string.match(cursor, '^(%d+)|([+-]?)|(.*)$')
local scores = redis.call('ZMSCORE', presence_key, member, '-' .. uid)
if not keeps_claim(scores[1], claim, now) then
  return answer({ cursor = '' })
end

-- 2. Read: what is true, and who comes next.
local is_held = #held_seats(read_hash(seat_key)) > 0
local truth = (is_held or scores[2]) and '+' or '-'
if reason == '=' then
  truth = ''
end
if told ~= truth then
  told, last = truth, ''
end
local page = sorted_page(redis.call('HKEYS', friends_key), last, page_max)
if #page == 0 or reason == '=' and not is_held then
  redis.call('ZREM', presence_key, member)
  return answer({ cursor = '' })
end

-- 3. Answer.
claim = claim_presence(presence_key, member, now)
local profile = redis.call('HMGET', user_key, 'name', 'icon')
local body = cjson.encode({ name = profile[1] or nil, icon = profile[2] or nil })
local effects = { 1 }
for i, value in ipairs(redis.call('HMGET', friends_key, unpack(page))) do
  local friend = not string.find(page[i], '^|') and string.find(value, '^{') and page[i]
  local watcher = string.match(page[i], '^|watch|(.+)$')
  if watcher and reason ~= '=' and string.sub(redis.call('HGET', friends_key, watcher) or '', 1, 1) ~= '{' then
    effects[#effects + 1] =
      { 'call', 'tell', watcher, 'peer', uid, 'reason', 'watch' .. told, 'body', body, 'not_after', claim }
  elseif friend then
    effects[#effects + 1] = { 'call', 'tell', friend, 'peer', uid, 'reason', told, 'body', body, 'not_after', claim }
  end
end
effects[#effects + 1] = { 'reply', 0, cjson.encode({
  cursor = claim .. '|' .. told .. '|' .. page[#page], gather = told ~= '-' and 'roll_call' or nil,
}) }
return effects
