-- profile_table: what others may see of a user, as a table. Read it before anything is written, because it may fail.
-- @include public_profile
local function profile_table(user_key)
  return cjson.decode('{' .. string.sub(public_profile(user_key), 2) .. '}')
end
