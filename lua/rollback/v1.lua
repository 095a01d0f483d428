-- rollback v1: end the canary of a script, or, where none runs, go back to the version that was active before.
--
-- @since 0.1.0
-- @mode write
-- @key scripts hash which version of each script is active
-- @key releases hash what is known of each version
-- @key sources hash the text of each version
-- @key history list who changed what
-- @arg script text name of the script
-- @arg script_version int the version that is to be left, a canary's or the active one; empty for whichever it is
-- @arg who text who asks
-- @arg channel text where changes are announced
-- @effect reply rolled_back, canary_ended, unknown, damaged, none (nothing was active before) or moved (it is left already)
-- @include answer
-- @include now_ms
-- @include read_release
-- @include announce
-- @include note_change
local scripts_key, releases_key, sources_key, history_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local script, script_version, who, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local function field(name)
  return script .. ':' .. name
end

-- 1. A canary ends.
local now, active = now_ms(), redis.call('HGET', scripts_key, field('active'))
if not active then
  return answer({ outcome = 'unknown' })
end
local canary = redis.call('HGET', scripts_key, field('canary'))
if script_version ~= '' and script_version ~= (canary or active) then
  return answer({ outcome = 'moved', version = tonumber(active) })
end
local function flip()
  local revision = announce(scripts_key, channel, now)
  redis.call('HSET', scripts_key, field('since'), revision)
  return revision
end
if canary then
  redis.call('HDEL', scripts_key, field('canary'), field('canary_digest'), field('percent'))
  note_change(history_key, now, who, 'canary_ended', script, canary, {})
  return answer({ outcome = 'canary_ended', from = tonumber(canary), version = tonumber(active), revision = flip() })
end

-- 2. Else the version before comes back.
local before, rest = string.match(redis.call('HGET', scripts_key, field('before')) or '', '^(%d+) ?(.*)$')
if not before then
  return answer({ outcome = 'none', version = tonumber(active) })
end
local release, wrong = read_release(releases_key, sources_key, script .. '@' .. before)
if not release then
  return answer({ outcome = wrong, version = tonumber(before) })
end
redis.call('HSET', scripts_key, field('active'), before, field('digest'), release.digest, field('before'), rest)
note_change(history_key, now, who, 'rolled_back', script, before,
  { from = tonumber(active), tests = release.tests, digest = release.digest })
return answer({ outcome = 'rolled_back', from = tonumber(active), version = tonumber(before), revision = flip() })
