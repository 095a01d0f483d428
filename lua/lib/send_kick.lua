-- send_kick: have a session told to go, through the channel of its node and, for the case that it sits on the asking
-- node, as an effect, which is answered. The body is JSON text; inside the message it stands as a string.
local function send_kick(channel_prefix, node, sid, reason, id, body)
  local text = string.gsub(body, '["\\]', '\\%0')
  redis.call('PUBLISH', channel_prefix .. node,
    '[["kick","' .. sid .. '","' .. reason .. '",' .. id .. ',"' .. text .. '"]]')
  return { 'kick', sid, reason, id, body }
end
