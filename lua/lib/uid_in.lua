-- uid_in: a user id as it stands in a body of the wire, an integer from 1 to 2^53 - 1, as text; nil where it is none.
local function uid_in(value)
  local is_uid = type(value) == 'number' and value >= 1 and value <= 9007199254740991 and value % 1 == 0
  return is_uid and string.format('%.0f', value) or nil
end
