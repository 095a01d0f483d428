-- texts_in: the `text_array` of a request, at most 64 texts, as a list of tables with content and msgid and nothing else
-- of what the client wrote; nil where one of them is none.
local function texts_in(array)
  if type(array) ~= 'table' or #array > 64 or #array == 0 and next(array) then
    return nil
  end
  local texts = {}
  for i, item in ipairs(array) do
    local is_text = type(item) == 'table' and type(item.content) == 'string' and type(item.msgid) == 'string'
    if not is_text or item.msgid == '' or #item.msgid > 64 then
      return nil
    end
    texts[i] = { content = item.content, msgid = item.msgid }
  end
  return texts
end
