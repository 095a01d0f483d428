-- profile_change: what a JSON object of fields changes in a profile, as a table of texts and `false` for those that go;
-- or nil and the field that cannot be. Sizes are bounded because every friend keeps a copy of what is public.
-- @include is_name
local function profile_change(fields)
  local bytes_max = { name = 64, nick = 128, icon = 512, desc = 512, sex = 3 }
  local change = {}
  for name, value in pairs(fields) do
    if type(value) == 'number' then
      value = string.format('%.15g', value)
    end
    local is_text = type(value) == 'string' and #value <= (bytes_max[name] or 4096)
    if type(name) ~= 'string' or #name > 64 or not string.find(name, '^[%w_.-]+$') then
      return nil, tostring(name)
    elseif value ~= cjson.null and not is_text then
      return nil, name
    elseif name == 'sex' and is_text and not string.find(value, '^%d+$') then
      return nil, name
    elseif name == 'name' and is_text and (not is_name(value) or string.find(value, '^%d+$')) then
      -- A search would take digits alone for a uid.
      return nil, name
    end
    change[name] = is_text and value
  end
  return change
end
