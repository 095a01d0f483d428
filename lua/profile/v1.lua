-- profile v1: all that the backend has put into the profile of a user, private fields included.
--
-- @since 0.1.0
-- @mode read
-- @key user hash profile of the user
-- @key ticket hash the tickets of the user, two slots per class
-- @arg uid text the user
-- @effect reply profile, whether the user is known, and whether an erasure has begun and not ended
-- @include read_hash
local user_key, ticket_key = KEYS[1], KEYS[2]
local uid = ARGV[1]

local user, names, fields = read_hash(user_key), {}, {}
local mark = user['|erasing']
for name in pairs(user) do
  if string.sub(name, 1, 1) ~= '|' then
    names[#names + 1] = name
  end
end
table.sort(names)
for i, name in ipairs(names) do
  -- Redis keeps texts; what clients read as a number goes out as one.
  local number = name == 'sex' and string.match(user[name], '^%d%d?%d?$')
  fields[i] = cjson.encode(name) .. ':' .. (number and string.format('%d', number) or cjson.encode(user[name]))
end
return { 1, { 'reply', 0, string.format('{"uid":%s,"known":%s,"erasing":%s,"profile":{%s}}', cjson.encode(uid),
  tostring(redis.call('EXISTS', user_key, ticket_key) > 0 and not mark), tostring(mark ~= nil and mark ~= 'done'),
  table.concat(fields, ',')) } }
