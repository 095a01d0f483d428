-- fill_to: give each node (of `open_nodes`) the tickets that it gets before its share reaches a level; answers how many
-- these are.
local function fill_to(nodes, level)
  local given = 0
  for _, node in ipairs(nodes) do
    node.taken = math.max(0, math.min(math.ceil(level * node.size) - node.used, node.room))
    given = given + node.taken
  end
  return given
end
