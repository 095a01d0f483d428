-- add_trail: note what happened to a seat, newest first, as
-- at|event|class|sid|node|address|script version|note; at most trail_max entries are kept.
local function add_trail(trail_key, trail_max, ...)
  local keep = tonumber(trail_max) or 0
  if keep > 0 and redis.call('LPUSH', trail_key, table.concat({ ... }, '|')) > keep then
    redis.call('LTRIM', trail_key, 0, keep - 1)
  end
end
