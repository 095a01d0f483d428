-- spread: hand tickets to nodes (of `open_nodes`), each to the one whose share in use is the lowest, the first by name
-- among equals. Notes in `taken` how many each got, and answers how many found room. Most of many are not handed out one
-- by one: it looks for a level that they reach everywhere, below which each node's part is known.
-- @include fill_to
local function spread(nodes, wanted)
  local low, high, given = 0, 0, fill_to(nodes, 0)
  for _, node in ipairs(nodes) do
    high = math.max(high, (node.used + wanted) / node.size)
  end
  for _ = 1, wanted > 4 and 50 or 0 do
    local middle = (low + high) / 2
    local part = fill_to(nodes, middle)
    if part > wanted then
      high = middle
    else
      low, given = middle, part
    end
    if wanted - given <= 4 then
      break
    end
  end
  fill_to(nodes, low)
  while given < wanted do
    local best, lowest
    for _, node in ipairs(nodes) do
      local share = (node.used + node.taken) / node.size
      if node.taken < node.room and (not best or share < lowest) then
        best, lowest = node, share
      end
    end
    if not best then
      break
    end
    best.taken, given = best.taken + 1, given + 1
  end
  return given
end
