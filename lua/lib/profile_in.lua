-- profile_in: the public fields of a user out of a table that was JSON; what is of another type is left out.
local function profile_in(fields)
  local profile = { sex = type(fields.sex) == 'number' and fields.sex or nil }
  for _, name in ipairs({ 'name', 'nick', 'icon', 'desc' }) do
    profile[name] = type(fields[name]) == 'string' and fields[name] or nil
  end
  return profile
end
