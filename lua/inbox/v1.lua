-- inbox v1: a page of what waits for a user, for the backend.
--
-- @since 0.1.0
-- @mode read
-- @key inbox list messages that the user has not got yet
-- @arg cursor text id of the last entry of the page before, empty at the start
-- @arg page_max int most entries of this page
-- @effect reply count (of all), entries, cursor of the next page (empty: this was the last)
-- @include entry_of
local inbox_key = KEYS[1]
local cursor, page_max = ARGV[1], ARGV[2]

local count, from, after = redis.call('LLEN', inbox_key), 0, tonumber(cursor) or 0
local items, last, most = {}, after, tonumber(page_max)
while from < count and #items <= most do
  for _, text in ipairs(redis.call('LRANGE', inbox_key, from, from + 99)) do
    local entry = entry_of(text)
    if entry.kind and entry.id > after and #items <= most then
      items[#items + 1] = string.format('{"id":%.0f,"from":%s,"at":%.0f,"until":%.0f,', entry.id,
        cjson.encode(entry.from), entry.at, entry.till)
        .. (entry.kind == 't' and '"texts":[' .. entry.json .. ']' or '"notification":' .. entry.json) .. '}'
      last = #items <= most and entry.id or last
    end
  end
  from = from + 100
end
local more = #items > most and string.format('%.0f', last) or ''
items[most + 1] = nil
local head = '{"count":' .. count .. ',"cursor":"' .. more .. '","entries":['
return { 1, { 'reply', 0, head .. table.concat(items, ',') .. ']}' } }
