-- friend_element: a friend as it stands in `friends` and goes into a friend_list. `back` is the owner's remark; `theirs`,
-- until the other has confirmed, the owner as the other is to have it.
-- @include wire_uid
local function friend_element(uid, profile, back, since, theirs)
  local fields = { back = back or '', theirs = theirs }
  for name, value in pairs(profile) do
    fields[name] = value
  end
  return string.format('{"uid":%s,%s,"since":%.0f}', wire_uid(uid), string.sub(cjson.encode(fields), 2, -2), since)
end
