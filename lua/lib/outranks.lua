-- outranks: whether a claim (ticket number, epoch) is higher than the one that the seat remembers.
local function outranks(seat, class, number, epoch)
  local theirs = tonumber(seat[class .. ':number']) or 0
  if tonumber(number) ~= theirs then
    return tonumber(number) > theirs
  end
  return tonumber(epoch) > (tonumber(seat[class .. ':epoch']) or 0)
end
