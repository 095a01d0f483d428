-- refusal_about: the reply to a request about another user that cannot be granted. Neither user nor reason has to be given.
-- @include wire_uid
local function refusal_about(id, touid, code, reason)
  local rest = string.sub(cjson.encode({ error = code, reason = reason, retry_after_ms = code == 1101 and 1000 or nil }), 2)
  return { 'reply', id, (touid and '{"touid":' .. wire_uid(touid) .. ',' or '{') .. rest }
end
