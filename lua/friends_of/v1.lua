-- friends_of v1: a page of what a user has agreed with others, for the backend and for whoever refreshes copies.
--
-- @since 0.1.0
-- @mode read
-- @key friends hash what the user has agreed with others
-- @arg cursor text where the page before ended, empty at the start
-- @arg page_max int most entries of this page
-- @effect reply friends, blocked and watchers, each a list of uids, and the cursor of the next page (empty: the last)
-- @include sorted_page
local friends_key = KEYS[1]
local cursor, page_max = ARGV[1], ARGV[2]

local page, more = sorted_page(redis.call('HKEYS', friends_key), cursor, page_max)
local lists = { friends = {}, blocked = {}, watchers = {} }
local function add(name, uid)
  local list = lists[name]
  list[#list + 1] = cjson.encode(uid)
end
for i, value in ipairs(page[1] and redis.call('HMGET', friends_key, unpack(page)) or {}) do
  local watcher = string.match(page[i], '^|watch|(.+)$')
  if watcher then
    add('watchers', watcher)
  elseif string.find(value, '^~?{') then
    add('friends', page[i])
  elseif string.find(value, '^!') then
    add('blocked', page[i])
  end
end
return { 1, { 'reply', 0, string.format('{"friends":[%s],"blocked":[%s],"watchers":[%s],"cursor":%s}',
  table.concat(lists.friends, ','), table.concat(lists.blocked, ','), table.concat(lists.watchers, ','),
  cjson.encode(more)) } }
