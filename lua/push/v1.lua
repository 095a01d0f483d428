-- push v1: keep a version of a script for the whole fleet.
--
-- A version never changes: a number that another text has is refused. Pushing activates nothing. Nodes give their
-- built-in versions in the same way; such a version becomes active where the fleet has none of its name.
--
-- @since 0.1.0
-- @mode write
-- @key scripts hash which version of each script is active
-- @key releases hash what is known of each version
-- @key sources hash the text of each version
-- @key history list who changed what
-- @arg script text name of the script
-- @arg script_version int its version
-- @arg digest text SHA-1 of its text
-- @arg source text JSON: text, parts, files and tests
-- @arg body text JSON: summary, since, contract and test result
-- @arg who text who pushes
-- @arg builtin text 1 for a node that gives its own
-- @arg channel text where changes are announced
-- @effect reply pushed, known, taken (by another text) or damaged (the digest is not that of the text)
-- @include answer
-- @include now_ms
-- @include announce
-- @include note_change
local scripts_key, releases_key, sources_key, history_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local script, script_version, digest, source, body = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local who, builtin, channel = ARGV[6], ARGV[7], ARGV[8]

-- 1. Guard.
local label = script .. '@' .. script_version
local known = redis.call('HGET', releases_key, label)
known = known and cjson.decode(known)
if known and known.digest ~= digest then
  return answer({ outcome = 'taken', digest = known.digest, who = known.who, at = known.at })
end
if not known and redis.sha1hex(cjson.decode(source).text) ~= digest then
  return answer({ outcome = 'damaged' })
end

-- 2. Keep it.
local now, outcome = now_ms(), 'known'
if not known then
  outcome = 'pushed'
  local release = cjson.decode(body)
  release.digest, release.who, release.at = digest, who, now
  redis.call('HSET', sources_key, label, source)
  redis.call('HSET', releases_key, label, cjson.encode(release))
  if builtin ~= '1' then
    note_change(history_key, now, who, 'pushed', script, script_version, { tests = release.tests, digest = digest })
  end
end

-- 3. The first of its name is active.
if builtin == '1' and redis.call('HSETNX', scripts_key, script .. ':active', script_version) == 1 then
  redis.call('HSET', scripts_key, script .. ':digest', digest)
  announce(scripts_key, channel, now)
end
return answer({ outcome = outcome })
