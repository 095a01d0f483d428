-- Versions of scripts are kept for the fleet, and never change.

local function source(text)
  return '{"text":"' .. text .. '","parts":[["login/v2.lua",1]],"tests":{}}'
end

local digests = {
  ['return 1'] = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db',
  ['return 2'] = '7f923f79fe76194c868d7e1d0820de36700eb649',
}

local function push(version, text, more)
  local arguments = {
    script = 'login', script_version = version, digest = digests[text], source = source(text), who = 'ann',
    body = '{"summary":"It.","since":"0.1.0","contract":{"keys":"seat","arguments":"uid"},"tests":{"passed":3,"failed":0}}',
  }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('push', arguments).reply.json
end

describe('push', function()
  it('keeps text, digest, who, when and the test result', function()
    assert.equal('pushed', push(2, 'return 1').outcome)
    assert.equal(source('return 1'), read(key('sources'))['login@2'])
    local release = json(read(key('releases'))['login@2'])
    assert.equal(digests['return 1'], release.digest)
    assert.equal('ann', release.who)
    assert.equal(3, release.tests.passed)
    assert.is_true(release.at > 1600000000000)
    local entry = json(read(key('history'))[1])
    assert.equal('pushed login@2 by ann', entry.event .. ' ' .. entry.script .. '@' .. entry.version .. ' by ' .. entry.who)
  end)

  it('activates nothing', function()
    push(2, 'return 1')
    assert.is_nil(read(key('scripts')))
    assert.same({}, published())
  end)

  it('finds the same text known, and changes nothing then', function()
    push(2, 'return 1')
    local before = state()
    clock.tick()
    assert.equal('known', push(2, 'return 1', { who = 'bob' }).outcome)
    assert.same(before, state())
  end)

  it('refuses another text under the same number', function()
    push(2, 'return 1')
    local before = state()
    local answer = push(2, 'return 2')
    assert.equal('taken', answer.outcome)
    assert.equal(digests['return 1'], answer.digest)
    assert.equal('ann', answer.who)
    assert.same(before, state())
  end)

  it('refuses a text that does not have the digest', function()
    assert.same({ outcome = 'damaged' }, push(2, 'return 1', { digest = digests['return 2'] }))
    assert.same({}, state())
  end)

  describe('of a node', function()
    it('makes the first version of a name active, and says so', function()
      assert.equal('pushed', push(1, 'return 1', { builtin = '1', revision = 0 }).outcome)
      local scripts = read(key('scripts'))
      assert.equal('1', scripts['login:active'])
      assert.equal(digests['return 1'], scripts['login:digest'])
      assert.is_true(tonumber(scripts.revision) > 1600000000000)
      assert.is_nil(read(key('history')), 'nobody decided it')
    end)

    it('leaves what is active alone', function()
      push(1, 'return 1', { builtin = '1', revision = 0 })
      local before = read(key('scripts'))
      push(2, 'return 2', { builtin = '1', revision = 0 })
      assert.same(before, read(key('scripts')))
    end)

    it('only keeps it where nobody runs it', function()
      assert.equal('pushed', push(1, 'return 1', { builtin = '1' }).outcome)
      assert.is_nil(read(key('scripts')))
      assert.is_nil(read(key('history')))
      assert.same({}, published())
    end)

    it('makes what it runs active where what is active was chosen before', function()
      push(1, 'return 1', { builtin = '1', revision = 0 })
      redis.call('HSET', key('scripts'), 'login:canary', '3', 'login:percent', '5')
      push(2, 'return 2', { builtin = '1', revision = 1700000000007 })
      local scripts = read(key('scripts'))
      assert.equal('2', scripts['login:active'])
      assert.equal('1700000000007', scripts['login:since'])
      assert.is_nil(scripts['login:canary'], 'it was tried out beside another version')
      push(1, 'return 1', { builtin = '1', revision = 1700000000006 })
      assert.equal('2', read(key('scripts'))['login:active'], 'but not where it was chosen later')
    end)

    it('has the fleet run the text that it keeps where the node has another', function()
      push(1, 'return 1')
      assert.equal('taken', push(1, 'return 2', { builtin = '1', revision = 0 }).outcome)
      assert.equal(digests['return 1'], read(key('scripts'))['login:digest'])
    end)

    it('makes a version active that is kept already, if none is', function()
      push(1, 'return 1')
      assert.equal('known', push(1, 'return 1', { builtin = '1', revision = 0 }).outcome)
      assert.equal('1', read(key('scripts'))['login:active'])
    end)
  end)
end)
