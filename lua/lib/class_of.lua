-- class_of: the class that a session holds, or held last; the class given where it never sat. A session has one seat.
local function class_of(seat, sid, class)
  for field, value in pairs(seat) do
    if value == sid then
      return string.match(field, '^(.+):sid$') or class
    end
  end
  return class
end
