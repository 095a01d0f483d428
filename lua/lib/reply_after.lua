-- reply_after: the effects of a request: a call, where there is one, then the reply, so that the client hears of it only
-- when the other side knows. A call that fails keeps no reply back.
local function reply_after(call, reply)
  if call then
    return { 1, call, reply }
  end
  return { 1, reply }
end
