-- holder_of: the sid that holds the seat of a class, or nil. A tombstone keeps the last sid beside its `end`.
local function holder_of(seat, class)
  return not seat[class .. ':end'] and seat[class .. ':sid'] or nil
end
