-- displace: tell one session that its seat is another's now. A device that came back with its own ticket is not told
-- "logged in elsewhere" but gets a goodbye. `by` has class, address, at and epoch of the taker, and the script version that decided.
-- @include wire_uid
-- @include send_kick
local function displace(channel_prefix, node, uid, sid, reason, by)
  local body = string.format(
    '{"error":0,"uid":%s,"reason":"%s","at":%d,"epoch":%d,"by":{"class":"%s","address":%s},"script":"%s"}',
    wire_uid(uid), reason, by.at, by.epoch, by.class, cjson.encode(by.address), by.version)
  return send_kick(channel_prefix, node, sid, reason, reason == 'resumed' and 1101 or 1021, body)
end
