-- list_elements: what a user is shown of friends (friend_list) or of open applications (apply_list): JSON by uid. A half
-- that is not settled is not shown, nor is the remark that an applicant wants for the owner.
-- @include wire_uid
local function list_elements(list, hash)
  local elements = {}
  for uid, text in pairs(hash) do
    local is_json, fields = false, nil
    if list == 'friend_list' and string.sub(text, 1, 1) == '{' then
      elements[uid] = text
    elseif list == 'apply_list' and string.sub(uid, 1, 1) ~= '|' then
      is_json, fields = pcall(cjson.decode, text)
    end
    if is_json and type(fields) == 'table' then
      fields.uid, fields.back, fields.status = nil, nil, fields.status or 0
      elements[uid] = '{"uid":' .. wire_uid(uid) .. ',' .. string.sub(cjson.encode(fields), 2)
    end
  end
  return elements
end
