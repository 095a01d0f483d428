-- wire_uid: a user id as JSON. Ids of digits go as a number, as this wire has them, written as they stand because
-- cjson rounds past 14 digits; any other id goes as a string.
local function wire_uid(uid)
  return string.match(uid, '^[1-9]%d*$') or cjson.encode(uid)
end
