-- spread: hand tickets to nodes (of `open_nodes`), each to the one whose share in use is the lowest, the first by name
-- among equals. Notes in `taken` how many each got, and answers how many found room. Many tickets are not handed out
-- one by one: below the highest level that they reach everywhere, each node's part is known.
-- @include fill_to
local function spread(nodes, wanted)
  local low, high = 0, 1
  for _ = 1, wanted > #nodes and 50 or 0 do
    local middle = (low + high) / 2
    if fill_to(nodes, middle) <= wanted then
      low = middle
    else
      high = middle
    end
  end
  local given = fill_to(nodes, low)
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
