-- send_frame: have the node of a session deliver a frame to it. The body is JSON text; inside the message it stands as a
-- string. Frames of a user's messages have a position, and the one after which they come.
local function send_frame(channel_prefix, node, sid, id, body, position, after)
  local text, step = string.gsub(body, '["\\]', '\\%0'), ''
  if position then
    step = string.format(',%.0f,%.0f', position, after)
  end
  redis.call('PUBLISH', channel_prefix .. node, '[["deliver","' .. sid .. '",' .. id .. ',"' .. text .. '"' .. step .. ']]')
end
