-- list_part: of the elements of a list (JSON by uid) those after a uid, in the order of uids, as many as fit into `room`
-- bytes; and where the next page goes on, nil where there is none. What is too large for any page is passed over.
local function list_part(elements, after, room, page_max)
  local function is_before(a, b)
    return #a < #b or #a == #b and a < b
  end
  local uids, part, last = {}, {}, after
  for uid, json in pairs(elements) do
    if #json < page_max and is_before(after, uid) then
      uids[#uids + 1] = uid
    end
  end
  table.sort(uids, is_before)
  for _, uid in ipairs(uids) do
    room = room - #elements[uid] - 1
    if room < 0 then
      return part, last
    end
    part[#part + 1], last = elements[uid], uid
  end
  return part, nil
end
