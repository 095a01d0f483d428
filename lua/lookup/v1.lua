-- lookup v1: who holds the seats of a user, and what happened to them last.
--
-- @since 0.1.0
-- @mode read
-- @key seat hash who holds the seats of the user
-- @key trail list the last events of the user's seats
-- @arg uid text the user
-- @effect reply seats (held ones only, by class) and trail, newest first
-- @include read_hash
-- @include holder_of
local seat_key, trail_key = KEYS[1], KEYS[2]
local uid = ARGV[1]

local seat, held, seats, trail = read_hash(seat_key), {}, {}, {}
for field in pairs(seat) do
  local class = string.match(field, '^(.+):sid$')
  if class and holder_of(seat, class) then
    held[#held + 1] = class
  end
end
table.sort(held)
for i, class in ipairs(held) do
  local c = class .. ':'
  seats[i] = cjson.encode({
    class = class, sid = seat[c .. 'sid'], node = seat[c .. 'node'], address = seat[c .. 'address'],
    incarnation = tonumber(seat[c .. 'incarnation']), epoch = tonumber(seat[c .. 'epoch']),
    since = tonumber(seat[c .. 'since']), version = seat[c .. 'version'],
  })
end
for i, entry in ipairs(redis.call('LRANGE', trail_key, 0, -1)) do
  local at, event, class, sid, node, address, version, note =
    string.match(entry, '^(.-)|(.-)|(.-)|(.-)|(.-)|(.-)|(.-)|(.*)$')
  trail[i] = cjson.encode({
    at = tonumber(at), event = event, class = class, sid = sid, node = node, address = address, version = version,
    note = note ~= '' and note or nil,
  })
end
return { 1, { 'reply', 0, '{"uid":' .. cjson.encode(uid) .. ',"seats":[' .. table.concat(seats, ',')
  .. '],"trail":[' .. table.concat(trail, ',') .. ']}' } }
