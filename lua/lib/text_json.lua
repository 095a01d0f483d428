-- text_json: one text as it stands in frames and in the inbox. The order of its fields is fixed, so that its beginning
-- can be found again.
local function text_json(text)
  return '{"content":' .. cjson.encode(text.content) .. ',"msgid":' .. cjson.encode(text.msgid) .. '}'
end
