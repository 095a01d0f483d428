-- same_contract: whether one version can stand in for another: the same keys, and arguments of which one list begins
-- with the other.
local function same_contract(a, b)
  local short, long = a.arguments .. ',', b.arguments .. ','
  if #short > #long then
    short, long = long, short
  end
  return a.keys == b.keys and (short == ',' or string.sub(long, 1, #short) == short)
end
