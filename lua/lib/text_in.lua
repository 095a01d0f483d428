-- text_in: a text as it stands in a body of the wire, of at most so many bytes; empty where it is absent, nil where it
-- is none.
local function text_in(value, bytes_max)
  if value == nil or value == cjson.null then
    return ''
  end
  return type(value) == 'string' and #value <= bytes_max and value or nil
end
