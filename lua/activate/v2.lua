-- activate v2: have the whole fleet run a version of a script, or a share of its users as a canary.
--
-- The version has to be there, unharmed, with tests that passed and the contract of the one that runs. One script
-- flips the pointer; the nodes follow by themselves. Without a share, a canary ends here.
--
-- @since 0.1.0
-- @mode write
-- @key scripts hash which version of each script is active
-- @key releases hash what is known of each version
-- @key sources hash the text of each version
-- @key history list who changed what
-- @arg script text name of the script
-- @arg script_version int the version
-- @arg percent int share of the users in per cent, or empty for all
-- @arg who text who asks
-- @arg channel text where changes are announced
-- @effect reply activated, canary, unchanged, or why not: unknown, damaged, tests, contract,
--   and of a share: alone (nothing runs beside it), active (it runs already)
-- @include answer
-- @include now_ms
-- @include read_release
-- @include extends_contract
-- @include announce
-- @include note_change
-- @change v2 lets a version take further keys.
local scripts_key, releases_key, sources_key, history_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local script, script_version, percent, who, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

-- 1. Guard.
local release, wrong = read_release(releases_key, sources_key, script .. '@' .. script_version)
if not release then
  return answer({ outcome = wrong })
end
if release.tests.failed > 0 then
  return answer({ outcome = 'tests', tests = release.tests })
end
local function pointer(field)
  return redis.call('HGET', scripts_key, script .. ':' .. field) or nil
end
local active, canary, share = pointer('active'), pointer('canary'), pointer('percent')
-- A pointer whose release is gone leads nowhere: whatever comes now can only be better, and nobody goes back to it.
local running = active and read_release(releases_key, sources_key, script .. '@' .. active)
if running and not extends_contract(running.contract, release.contract) then
  return answer({ outcome = 'contract', active = tonumber(active), running = running.contract, pushed = release.contract })
end
local is_canary = percent ~= ''
if is_canary and (not running or active == script_version) then
  return answer({ outcome = running and 'active' or 'alone' })
end
local is_same = not is_canary and active == script_version and not canary
  or is_canary and canary == script_version and share == percent
if is_same then
  return answer({ outcome = 'unchanged', revision = tonumber(redis.call('HGET', scripts_key, 'revision')) })
end

-- 2. Flip the pointer.
local now, event = now_ms(), is_canary and 'canary' or 'activated'
if is_canary then
  redis.call('HSET', scripts_key, script .. ':canary', script_version, script .. ':canary_digest', release.digest,
    script .. ':percent', percent)
else
  redis.call('HDEL', scripts_key, script .. ':canary', script .. ':canary_digest', script .. ':percent')
  redis.call('HSET', scripts_key, script .. ':active', script_version, script .. ':digest', release.digest)
  if running and active ~= script_version then
    local before = active .. ' ' .. (pointer('before') or '')
    redis.call('HSET', scripts_key, script .. ':before', string.match(before, '^' .. string.rep('%d* ?', 8)))
  end
end
local from = tonumber(active or nil)
note_change(history_key, now, who, event, script, script_version,
  { from = from, percent = tonumber(percent), tests = release.tests, digest = release.digest })
local revision = announce(scripts_key, channel, now)
redis.call('HSET', scripts_key, script .. ':since', revision)
return answer({ outcome = event, from = from, revision = revision })
