-- source v1: the text of one version of a script, and what is known of it.
--
-- @since 0.1.0
-- @mode read
-- @key releases hash what is known of each version
-- @key sources hash the text of each version
-- @arg script text name of the script
-- @arg script_version int its version
-- @effect reply release and source, both null where the fleet has no such version
local releases_key, sources_key = KEYS[1], KEYS[2]
local script, script_version = ARGV[1], ARGV[2]

local label = script .. '@' .. script_version
local release, source = redis.call('HGET', releases_key, label), redis.call('HGET', sources_key, label)
local body = '{"release":' .. (release or 'null') .. ',"source":' .. (source or 'null') .. '}'
return { 1, { 'reply', 0, body } }
