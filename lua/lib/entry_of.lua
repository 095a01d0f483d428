-- entry_of: an entry of an inbox as a table. In the list it is one text, `id|kind|from|at|until|json`: kind `t` is one
-- accepted frame of texts, `n` one notification. The JSON of texts is their elements with commas between. What cannot
-- be read comes back as an entry without a kind that ran out long ago, so it is passed over and dropped.
local function entry_of(text)
  local id, kind, from, at, till, json = string.match(text, '^(%d+)|(%l)|([^|]*)|(%d+)|(%d+)|(.*)$')
  return { id = tonumber(id) or 0, kind = kind, from = from, at = tonumber(at), till = tonumber(till) or 0, json = json }
end
