-- The fleet's choice of a version: checked, flipped, announced.

local digests = {
  'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', '7f923f79fe76194c868d7e1d0820de36700eb649',
  '09d3822de862f46d784e6a36848b4f0736dda47a',
}

local function push(version, more)
  local release = {
    keys = 'seat,ticket', arguments = 'sid,uid', failed = 0, script = 'login', builtin = version == 1 and '1' or '',
  }
  for name, value in pairs(more or {}) do
    release[name] = value
  end
  return run('push', {
    script = release.script, script_version = version, digest = digests[version], who = 'ann', builtin = release.builtin, revision = release.builtin == '1' and 0 or '',
    source = '{"text":"return ' .. version .. '","parts":[],"tests":{}}',
    body = '{"summary":"It.","since":"0.1.0","contract":{"keys":"' .. release.keys .. '","arguments":"' .. release.arguments
      .. '"},"tests":{"passed":3,"failed":' .. release.failed .. '}}',
  }).reply.json
end

local function activate(version, percent)
  return run('activate', { script = 'login', script_version = version, percent = percent, who = 'bob' }).reply.json
end

local function scripts()
  return read(key('scripts'))
end

local function refused(expected, version)
  local before = state()
  published()
  local answer = activate(version)
  assert.equal(expected, answer.outcome)
  assert.same(before, state())
  assert.same({}, published())
  return answer
end

describe('activate', function()
  before_each(function()
    push(1)
    push(2)
    published()
  end)

  it('flips the pointer and announces a higher revision', function()
    local before = tonumber(scripts().revision)
    local answer = activate(2)
    assert.equal('activated', answer.outcome)
    assert.equal(1, answer.from)
    assert.is_true(answer.revision > before)
    assert.equal('2', scripts()['login:active'])
    assert.equal(digests[2], scripts()['login:digest'])
    assert.equal('1 ', scripts()['login:before'])
    assert.equal(string.format('%.0f', answer.revision), scripts()['login:since'])
    local messages = published()
    assert.equal('os:scripts', messages[1].channel)
    assert.equal(string.format('%d', answer.revision), messages[1].payload)
    assert.equal(1, #messages)
  end)

  it('notes who, when, and with which test result', function()
    activate(2)
    local entry = json(read(key('history'))[1])
    assert.equal('activated', entry.event)
    assert.equal('bob', entry.who)
    assert.equal(1, entry.from)
    assert.equal(2, entry.version)
    assert.equal(3, entry.tests.passed)
    assert.equal(digests[2], entry.digest)
    assert.is_true(entry.at > 1600000000000)
  end)

  it('has a revision that is never lower than the clock, nor than the last one', function()
    redis.call('HSET', key('scripts'), 'revision', 1900000000000)
    assert.equal(1900000000001, activate(2).revision)
    redis.call('HDEL', key('scripts'), 'revision')
    assert.is_true(activate(1).revision < 1900000000000)
  end)

  it('changes nothing when the version runs already', function()
    local before = state()
    local answer = activate(1)
    assert.equal('unchanged', answer.outcome)
    assert.equal(tonumber(scripts().revision), answer.revision)
    assert.same(before, state())
  end)

  it('works for a name that nothing was active of', function()
    push(2, { script = 'welcome' })
    local answer = run('activate', { script = 'welcome', script_version = 2, who = 'bob' }).reply.json
    assert.equal('activated', answer.outcome)
    assert.is_nil(answer.from)
    assert.is_nil(scripts()['welcome:before'])
  end)

  it('leads out of a pointer to a version that is gone', function()
    redis.call('HSET', key('scripts'), 'login:active', '9')
    assert.equal('activated', activate(2).outcome)
    assert.is_nil(scripts()['login:before'])
  end)

  it('remembers eight versions before', function()
    for _ = 1, 6 do
      activate(2)
      activate(1)
    end
    assert.equal('2 1 2 1 2 1 2 1 ', scripts()['login:before'])
  end)

  describe('refuses', function()
    it('a version that is not there', function()
      refused('unknown', 3)
    end)

    it('what somebody wrote into the store that is no release', function()
      redis.call('HSET', key('releases'), 'login@2', 'garbage')
      refused('damaged', 2)
      redis.call('HSET', key('releases'), 'login@2', '{}')
      refused('damaged', 2)
    end)

    it('a text that is gone or was changed', function()
      redis.call('HSET', key('sources'), 'login@2', '{"text":"return 3"}')
      refused('damaged', 2)
      redis.call('HDEL', key('sources'), 'login@2')
      refused('damaged', 2)
    end)

    it('a version whose tests failed', function()
      push(3, { failed = 1 })
      assert.equal(1, refused('tests', 3).tests.failed)
    end)

    it('fewer or other keys', { till = 1 }, function()
      push(3, { keys = 'seat' })
      refused('contract', 3)
    end)

    it('other keys', function()
      push(3, { keys = 'roster,seat' })
      local answer = refused('contract', 3)
      assert.equal('seat,ticket', answer.running.keys)
      assert.equal('roster,seat', answer.pushed.keys)
      assert.equal(1, answer.active)
    end)

    it('other arguments', function()
      push(3, { arguments = 'uid,sid' })
      refused('contract', 3)
    end)
  end)

  it('takes more keys at the end, and fewer on the way back', { since = 2 }, function()
    push(3, { keys = 'seat,ticket,roster' })
    assert.equal('activated', activate(3).outcome)
    assert.equal('activated', activate(1).outcome)
  end)

  it('takes more arguments at the end, and fewer on the way back', function()
    push(3, { arguments = 'sid,uid,class' })
    assert.equal('activated', activate(3).outcome)
    assert.equal('activated', activate(1).outcome)
  end)

  it('does not take an argument whose name only begins in the same way', function()
    push(3, { arguments = 'sid,uid_long' })
    refused('contract', 3)
  end)

  it('takes the place of a version without any argument', function()
    push(1, { script = 'lone', arguments = '' })
    push(2, { script = 'lone', arguments = 'sid' })
    assert.equal('activated', run('activate', { script = 'lone', script_version = 2, who = 'bob' }).reply.json.outcome)
  end)
end)

describe('a canary', function()
  before_each(function()
    push(1)
    push(2)
    push(3)
  end)

  it('leaves the active version active', function()
    local answer = activate(2, 5)
    assert.equal('canary', answer.outcome)
    assert.equal('1', scripts()['login:active'])
    assert.equal('2', scripts()['login:canary'])
    assert.equal(digests[2], scripts()['login:canary_digest'])
    assert.equal('5', scripts()['login:percent'])
    assert.equal(5, json(read(key('history'))[1]).percent)
  end)

  it('changes nothing when it runs already with this share', function()
    activate(2, 5)
    assert.equal('unchanged', activate(2, 5).outcome)
    assert.equal('canary', activate(2, 6).outcome)
    assert.equal('6', scripts()['login:percent'])
  end)

  it('gives way to another canary', function()
    activate(2, 5)
    activate(3, 5)
    assert.equal('3', scripts()['login:canary'])
  end)

  it('is pointless with what is active', function()
    local before = state()
    assert.equal('active', activate(1, 5).outcome)
    assert.same(before, state())
    activate(2, 5)
    assert.equal('active', activate(1, 5).outcome)
    assert.equal('2', scripts()['login:canary'])
  end)

  it('is completed without a share', function()
    activate(2, 5)
    assert.equal('activated', activate(2).outcome)
    assert.equal('2', scripts()['login:active'])
    assert.is_nil(scripts()['login:canary'])
    assert.is_nil(scripts()['login:canary_digest'])
    assert.is_nil(scripts()['login:percent'])
  end)

  it('ends when the active version is activated again', function()
    activate(2, 5)
    assert.equal('activated', activate(1).outcome)
    assert.is_nil(scripts()['login:canary'])
    assert.is_nil(scripts()['login:before'])
  end)

  it('needs something that it is tried out beside', function()
    push(2, { script = 'welcome' })
    local before = state()
    local function try()
      return run('activate', { script = 'welcome', script_version = 2, percent = 5, who = 'bob' }).reply.json
    end
    assert.same({ outcome = 'alone' }, try())
    assert.same(before, state())
    redis.call('HSET', key('scripts'), 'login:active', '9')
    assert.equal('alone', activate(2, 5).outcome)
  end)
end)
