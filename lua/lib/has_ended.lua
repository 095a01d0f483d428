-- has_ended: whether a sid stands in the ring of ended sids of its class, or in the ring without a class, where
-- sids go that never held a seat. Such a sid is never seated again.
local function has_ended(seat, class, sid)
  local ring, common = class .. ':ended', seat[':turn']
  for turn = 1, 4 do
    if seat[ring .. turn] == sid or common and seat[':ended' .. turn] == sid then
      return true
    end
  end
  return false
end
