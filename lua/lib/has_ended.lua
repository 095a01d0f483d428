-- has_ended: whether a sid stands in the ring of ended sids of its class, or in the ring without a class, where
-- sids go that never held a seat. Such a sid is never seated again.
local function has_ended(seat, class, sid)
  local ring = class .. ':ended'
  local is_own = seat[ring .. '1'] == sid or seat[ring .. '2'] == sid or seat[ring .. '3'] == sid
    or seat[ring .. '4'] == sid
  return is_own or seat[':ended1'] == sid or seat[':ended2'] == sid or seat[':ended3'] == sid
    or seat[':ended4'] == sid
end
