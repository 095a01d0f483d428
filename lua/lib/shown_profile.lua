-- shown_profile: the public fields of a user as the rest of a JSON object, all of them, as old clients expect it.
local function shown_profile(profile)
  local text = function(name)
    return cjson.encode(profile[name] or '')
  end
  return string.format(',"name":%s,"nick":%s,"icon":%s,"desc":%s,"sex":%.0f', text('name'), text('nick'), text('icon'),
    text('desc'), profile.sex or 0)
end
