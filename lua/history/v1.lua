-- history v1: who pushed, activated and rolled back what, newest first.
--
-- @since 0.1.0
-- @mode read
-- @key history list who changed what
-- @arg page_max int most entries
-- @effect reply the entries
local history_key = KEYS[1]
local page_max = ARGV[1]

local entries = {}
for _, entry in ipairs(redis.call('LRANGE', history_key, 0, page_max - 1)) do
  -- What is no JSON would spoil the whole answer.
  if pcall(cjson.decode, entry) then
    entries[#entries + 1] = entry
  end
end
return { 1, { 'reply', 0, '{"history":[' .. table.concat(entries, ',') .. ']}' } }
