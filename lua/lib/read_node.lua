-- read_node: what the directory knows of a node, or nil.
local function read_node(nodes_key, node)
  local record = redis.call('HGET', nodes_key, node)
  return record and cjson.decode(record) or nil
end
