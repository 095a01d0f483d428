-- reap v1: a page of the sessions that older incarnations of a node left behind, each as a call that ends it.
--
-- @since 0.1.0
-- @mode read
-- @key roster zset all sessions of the shard, ordered by node
-- @arg node text the node
-- @arg incarnation int the incarnation that lives; all before it are dead
-- @arg cursor text where the page before ended, empty at the start
-- @arg page_max int most entries of this page
-- @effect call expire, for each session
-- @effect reply the cursor of the next page (empty: this was the last)
local roster_key = KEYS[1]
local node, incarnation, cursor, page_max = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local from = cursor == '' and '[' .. node .. '#' or '(' .. cursor
local entries = redis.call('ZRANGEBYLEX', roster_key, from, '(' .. node .. '#' .. incarnation, 'LIMIT', 0, page_max)
local effects = { 1 }
for _, entry in ipairs(entries) do
  local dead, uid, class, sid = string.match(entry, '#(%d+)|(.-)|(.-)|(.+)$')
  effects[#effects + 1] =
    { 'call', 'expire', uid, 'node', node, 'incarnation', dead, 'class', class, 'sid', sid, 'reason', 'reaped' }
end
local more = #entries == tonumber(page_max) and entries[#entries] or ''
effects[#effects + 1] = { 'reply', 0, cjson.encode({ cursor = more }) }
return effects
