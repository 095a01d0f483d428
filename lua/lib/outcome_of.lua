-- outcome_of: the error code for texts that were judged, 0 where all were accepted, now or before, else that of the first
-- which was not; and what else is said of them as JSON text: the reason, the id of the message, how many were dropped.
local function outcome_of(texts, id, dropped)
  local code, more = 0, ''
  for _, text in ipairs(texts) do
    if code == 0 and text.result == 'too_large' then
      code = 1105
    elseif code == 0 and text.result == 'full' then
      code, more = 1106, ',"reason":"inbox"'
    end
  end
  more = more .. (id and string.format(',"id":%.0f', id) or '')
  return code, dropped > 0 and more .. ',"dropped":' .. dropped or more
end
