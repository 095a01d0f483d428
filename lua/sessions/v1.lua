-- sessions v1: a page of what the roster says about a node, for the node to compare with its map.
--
-- Of its own and of older incarnations: the sessions of a newer one are another process' business.
--
-- @since 0.1.0
-- @mode read
-- @key roster zset all sessions of the shard, ordered by node
-- @arg node text the node
-- @arg incarnation int the node's incarnation
-- @arg cursor text where the page before ended, empty at the start
-- @arg page_max int most entries of this page
-- @effect reply entries, and the cursor of the next page (empty: this was the last)
local roster_key = KEYS[1]
local node, incarnation, cursor, page_max = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local from = cursor == '' and '[' .. node .. '#' or '(' .. cursor
local entries = redis.call('ZRANGEBYLEX', roster_key, from, '(' .. node .. '#' .. incarnation .. '}', 'LIMIT', 0, page_max)
local page = {}
for i, entry in ipairs(entries) do
  local former, uid, class, sid = string.match(entry, '#(%d+)|(.-)|(.-)|(.+)$')
  page[i] = cjson.encode({ incarnation = tonumber(former), uid = uid, class = class, sid = sid })
end
local more = #entries == tonumber(page_max) and entries[#entries] or ''
return { 1, { 'reply', 0, '{"entries":[' .. table.concat(page, ',') .. '],"cursor":' .. cjson.encode(more) .. '}' } }
