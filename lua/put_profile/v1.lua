-- put_profile v1: the backend sets fields of a user's profile, and removes those that are null.
--
-- A name was claimed before; a claim that has aged is refused, for it may be taken over. All fields are written, or none.
--
-- @since 0.1.0
-- @mode repeat
-- @key user hash profile of the user
-- @arg since int moment of the claim of the name, where the body has one
-- @arg body text the fields: texts, numbers, null
-- @effect reply old and new, the public profile before and after; stale, a moment, until friends have copies of it; former,
-- the last name before this one, and its claim, to be released; or error: field (which), fields (too many), late (claim
-- anew), erasing
-- @include now_ms
-- @include read_body
-- @include profile_change
-- @include public_profile
-- @include answer
local user_key = KEYS[1]
local since, body = ARGV[1], ARGV[2]

-- 1. Guard.
local change, wrong = profile_change(read_body(body))
if not change then
  return answer({ error = 'field', field = wrong })
end
local now = now_ms()
if change.name and now - (tonumber(since) or 0) > 30000 then
  return answer({ error = 'late' })
end
local before = redis.call('HMGET', user_key, '|erasing', 'name', '|claim', '|stale')
if before[1] and before[1] ~= 'done' then
  return answer({ error = 'erasing' })
end
local set, gone, count = {}, {}, redis.call('HLEN', user_key)
for name, value in pairs(change) do
  local list = value and set or gone
  list[#list + 1] = name
  if value then
    list[#list + 1] = value
    count = count + 1 - redis.call('HEXISTS', user_key, name)
  end
end
if count > 128 then
  return answer({ error = 'fields' })
end

-- 2. Write. A user who was erased begins anew.
if before[1] and set[1] then
  redis.call('DEL', user_key)
end
local old = string.sub(public_profile(user_key), 2)
if change.name then
  set[#set + 1] = '|claim'
  set[#set + 1] = since
elseif change.name == false then
  gone[#gone + 1] = '|claim'
end
if before[2] and change.name ~= nil and change.name ~= before[2] then
  -- Kept, so that whoever repeats this call, because the answer was lost, learns it, too.
  set[#set + 1] = '|former'
  set[#set + 1] = (before[3] or '') .. '|' .. before[2]
end
if gone[1] then
  redis.call('HDEL', user_key, unpack(gone))
end
if set[1] then
  redis.call('HSET', user_key, unpack(set))
end

local new, stale = string.sub(public_profile(user_key), 2), before[4]
if new ~= old then
  stale = string.format('%.0f', math.max(now, (tonumber(stale) or 0) + 1))
  redis.call('HSET', user_key, '|stale', stale)
end

-- 3. Answer.
local claim, name = string.match(redis.call('HGET', user_key, '|former') or '', '^(%d*)|(.+)$')
local former = name and string.format(',"former":%s,"claim":"%s"', cjson.encode(name), claim) or ''
local copies = stale and ',"stale":"' .. stale .. '"' or ''
return { 1, { 'reply', 0, string.format('{"old":{%s},"new":{%s}%s%s}', old, new, copies, former) } }
