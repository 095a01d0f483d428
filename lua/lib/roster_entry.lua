-- roster_entry: how one session stands in the roster; the order of its parts makes a node's sessions one range.
local function roster_entry(node, incarnation, uid, class, sid)
  return node .. '#' .. incarnation .. '|' .. uid .. '|' .. class .. '|' .. sid
end
