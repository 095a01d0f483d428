-- add_event: tell the backends what happened to a seat, in the words of the trail. About events_max events of the shard
-- are kept, 0 for none; each reader goes at its own pace.
local function add_event(events_key, events_max, event, uid, class, sid, node, now, version)
  local keep = tonumber(events_max) or 0
  if keep > 0 then
    redis.call('XADD', events_key, 'MAXLEN', '~', keep, '*', 'event', event, 'uid', uid, 'class', class, 'sid', sid,
      'node', node, 'at', string.format('%.0f', now), 'by', version)
  end
end
