-- note_change: remember who changed what the fleet runs, newest first; the last 500 changes are kept.
local function note_change(history_key, now, who, event, script, version, more)
  more.at, more.who, more.event, more.script, more.version = now, who, event, script, tonumber(version)
  redis.call('LPUSH', history_key, cjson.encode(more))
  redis.call('LTRIM', history_key, 0, 499)
end
