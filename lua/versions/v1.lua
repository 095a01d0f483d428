-- versions v1: which version of each script is active, which runs as a canary, and all that the fleet keeps.
--
-- @since 0.1.0
-- @mode read
-- @key scripts hash which version of each script is active
-- @key releases hash what is known of each version
-- @effect reply revision; pointers by field, as `login:active`; releases by label, as `login@2`
-- @include read_hash
local scripts_key, releases_key = KEYS[1], KEYS[2]

local labels, parts = {}, {}
local pointers, releases = read_hash(scripts_key), read_hash(releases_key)
for label, release in pairs(releases) do
  -- What is no JSON would spoil the whole answer.
  if pcall(cjson.decode, release) then
    labels[#labels + 1] = label
  end
end
table.sort(labels)
for i, label in ipairs(labels) do
  parts[i] = '"' .. label .. '":' .. releases[label]
end
local revision = pointers.revision or '0'
pointers.revision = nil
local active = next(pointers) and cjson.encode(pointers) or '{}'
local body = '{"revision":' .. revision .. ',"pointers":' .. active .. ',"releases":{' .. table.concat(parts, ',') .. '}}'
return { 1, { 'reply', 0, body } }
