-- send_kick: tell one session that its seat is another's now, through the channel of its node and, for the case
-- that it sits on the asking node, as an effect. A device that comes back with its own ticket is not told "logged
-- in elsewhere" but gets a goodbye. `by` has class, address, at and epoch of the taker.
-- @include with_uid
local function send_kick(channel_prefix, node, uid, sid, reason, by)
  local id = reason == 'resumed' and 1101 or 1021
  local body = with_uid(uid, cjson.encode({
    error = 0,
    reason = reason,
    at = by.at,
    epoch = by.epoch,
    by = { class = by.class, address = by.address },
  }))
  local effect = { 'kick', sid, reason, id, body }
  redis.call('PUBLISH', channel_prefix .. node, cjson.encode({ effect }))
  return effect
end
