-- extends_contract: whether one version can stand in for another: of their keys, and of their arguments, one list begins
-- with the other.
local function extends_contract(a, b)
  local function extends(one, other)
    local short, long = one .. ',', other .. ','
    if #short > #long then
      short, long = long, short
    end
    return short == ',' or string.sub(long, 1, #short) == short
  end
  return extends(a.keys, b.keys) and extends(a.arguments, b.arguments)
end
