-- push v1: keep a version of a script for the whole fleet.
--
-- A version never changes: a number that another text has is refused. Pushing activates nothing. Nodes give what they
-- have in the same way. What a node runs becomes active where the fleet has chosen nothing, or something that was chosen
-- before (the store lost its data, or went back to an older copy).
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
-- @arg builtin text 1 for a node that gives what it has
-- @arg revision int with which the node's version was chosen, 0 if nobody did; empty to keep it only
-- @arg channel text where changes are announced
-- @effect reply pushed, known, taken (by another text) or damaged (the digest is not that of the text)
-- @include answer
-- @include now_ms
-- @include announce
-- @include note_change
local scripts_key, releases_key, sources_key, history_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local script, script_version, digest, source, body = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local who, builtin, revision, channel = ARGV[6], ARGV[7], ARGV[8], ARGV[9]

-- 1. Guard.
local label = script .. '@' .. script_version
local known = redis.call('HGET', releases_key, label)
known = known and cjson.decode(known)
local outcome = known and 'known' or 'pushed'
if known and known.digest ~= digest then
  outcome = 'taken'
elseif not known and redis.sha1hex(cjson.decode(source).text) ~= digest then
  return answer({ outcome = 'damaged' })
end

-- 2. Keep it.
local now = now_ms()
if not known then
  known = cjson.decode(body)
  known.digest, known.who, known.at = digest, who, now
  redis.call('HSET', sources_key, label, source)
  redis.call('HSET', releases_key, label, cjson.encode(known))
  if builtin ~= '1' then
    note_change(history_key, now, who, 'pushed', script, script_version, { tests = known.tests, digest = digest })
  end
end

-- 3. What runs is active, unless something was chosen later.
local since = tonumber(redis.call('HGET', scripts_key, script .. ':since') or nil) or -1
if builtin == '1' and revision ~= '' and tonumber(revision) > since then
  redis.call('HDEL', scripts_key, script .. ':canary', script .. ':canary_digest', script .. ':percent')
  redis.call('HSET', scripts_key, script .. ':active', script_version, script .. ':digest', known.digest,
    script .. ':since', revision)
  announce(scripts_key, channel, now)
end
return answer({ outcome = outcome, digest = known.digest, who = known.who, at = known.at })
