-- read_body: the JSON object of a client's request as a table; an empty one where the body is none.
local function read_body(body)
  local is_json, fields = pcall(cjson.decode, body)
  return is_json and type(fields) == 'table' and fields or {}
end
