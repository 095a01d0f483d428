-- talk_items: the conversations of a user as JSON, the pined ones first, then by when they were last used; a deleted one
-- is not shown. Name and icon are those that the user has of a friend. As many as fit into `room` bytes.
-- @include wire_uid
local function talk_items(uid, talks, friends, room)
  local found, items = {}, {}
  for peer, talk in pairs(talks) do
    local create, update, flags = string.match(talk, '^(%d+)|(%d+)|(p?)$')
    if create then
      found[#found + 1] = { peer = peer, create = create, update = update, pined = flags == 'p' and 1 or 0 }
    end
  end
  table.sort(found, function(a, b)
    if a.pined ~= b.pined then
      return a.pined > b.pined
    elseif a.update ~= b.update then
      return tonumber(a.update) > tonumber(b.update)
    end
    return a.peer < b.peer
  end)
  for i, talk in ipairs(found) do
    local is_json, friend = pcall(cjson.decode, string.match(friends[talk.peer] or '', '{.*}') or '{}')
    friend = is_json and friend or {}
    items[i] = string.format('{"uid":%s,"from_uid":%s,"to_uid":%s,"create_time":%s,"update_time":%s,"name":',
      wire_uid(talk.peer), wire_uid(uid), wire_uid(talk.peer), talk.create, talk.update)
      .. cjson.encode(friend.name or '') .. ',"icon":' .. cjson.encode(friend.icon or '')
      .. ',"status":0,"deleted":0,"pined":' .. talk.pined .. '}'
    room = room - #items[i] - 1
    if room < 0 then
      items[i] = nil
      break
    end
  end
  return items
end
