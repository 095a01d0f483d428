-- is_name: whether a text may name a user. It stands in a key in the place of a uid, and keeps to the same rules: 1 to 64
-- bytes, no control characters, none of the marks that keys and roster entries are read by.
local function is_name(text)
  local has_fit = #text >= 1 and #text <= 64
  return has_fit and not string.find(text, '[%c|#{}]') and not string.find(text, '\194[\128-\159]')
end
