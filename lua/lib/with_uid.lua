-- with_uid: a JSON object as text with the user id put in front. Ids of digits go as a number, as this wire has
-- them, written here because cjson rounds past 14 digits; any other id goes as a string.
local function with_uid(uid, json)
  local text = string.match(uid, '^[1-9]%d*$') or cjson.encode(uid)
  return '{"uid":' .. text .. ',' .. string.sub(json, 2)
end
