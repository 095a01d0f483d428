-- text_reply: 1018, with what became of each text. Of what does not fit into a frame first the echo of the texts is left
-- out, which no client needs, then the results: `error` then says whether all were accepted. `more` may have a reason
-- and further fields as JSON text.
-- @include wire_uid
-- @include text_json
local function text_reply(code, from, to, texts, body_max, more)
  local echo, results = {}, {}
  for i, text in ipairs(texts) do
    echo[i] = text.json or text_json(text)
    results[i] = '{"msgid":' .. cjson.encode(text.msgid) .. ',"result":"' .. text.result .. '"}'
  end
  local head = string.format('{"error":%d,"fromuid":%s,"touid":%s%s', code, wire_uid(from), wire_uid(to), more)
  local array = ',"text_array":[' .. table.concat(echo, ',') .. ']'
  local outcome = ',"results":[' .. table.concat(results, ',') .. ']}'
  if #head + #array + #outcome <= body_max then
    return { 'reply', 1018, head .. array .. outcome }
  end
  return { 'reply', 1018, #head + #outcome <= body_max and head .. outcome or head .. '}' }
end
