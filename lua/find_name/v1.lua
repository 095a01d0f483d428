-- find_name v1: the part of a search that runs on the shard of the name: whose it is.
--
-- @since 0.1.0
-- @mode read
-- @key name string who has the name, and since when
-- @arg uid text the name
-- @effect reply 1008, where nobody has it
-- @effect call find_user, on the shard of who has it
local name_key = KEYS[1]
local uid = ARGV[1]

local holder = string.match(redis.call('GET', name_key) or '', '^(.+)|%d+$')
if not holder then
  return { 1, { 'reply', 1008, cjson.encode({ error = 1011 }) } }
end
return { 1, { 'call', 'find_user', holder, 'note', uid } }
