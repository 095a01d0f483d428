-- answer: what a script tells a caller that is no client.
local function answer(fields)
  return { 1, { 'reply', 0, cjson.encode(fields) } }
end
