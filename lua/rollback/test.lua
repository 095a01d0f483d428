-- The way back: a canary ends, or the version before comes back.

local digests = { 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', '7f923f79fe76194c868d7e1d0820de36700eb649',
  '09d3822de862f46d784e6a36848b4f0736dda47a' }

local function activate(version, percent)
  return run('activate', { script = 'login', script_version = version, percent = percent, who = 'bob' }).reply.json
end

local function rollback(script, version)
  return run('rollback', { script = script or 'login', script_version = version, who = 'eve' }).reply.json
end

local function scripts()
  return read(key('scripts'))
end

describe('rollback', function()
  before_each(function()
    for version, digest in ipairs(digests) do
      run('push', {
        script = 'login', script_version = version, digest = digest, who = 'ann', builtin = version == 1 and '1' or '',
        revision = version == 1 and 0 or '',
        source = '{"text":"return ' .. version .. '","parts":[],"tests":{}}',
        body = '{"summary":"It.","since":"0.1.0","contract":{"keys":"seat","arguments":"uid"},"tests":{"passed":3,"failed":0}}',
      })
    end
    published()
  end)

  it('leads back step by step, and announces each', function()
    activate(2)
    activate(3)
    published()
    local answer = rollback()
    assert.same({ outcome = 'rolled_back', from = 3, version = 2, revision = tonumber(scripts().revision) }, answer)
    assert.equal(digests[2], scripts()['login:digest'])
    assert.equal(string.format('%d', answer.revision), published()[1].payload)
    assert.equal(1, rollback().version)
    assert.equal('1', scripts()['login:active'])
    local before = state()
    assert.same({ outcome = 'none', version = 1 }, rollback())
    assert.same(before, state())
  end)

  it('notes who went back', function()
    activate(2)
    rollback()
    local entry = json(read(key('history'))[1])
    assert.equal('rolled_back', entry.event)
    assert.equal('eve', entry.who)
    assert.equal(2, entry.from)
    assert.equal(1, entry.version)
  end)

  it('ends a canary first, and leaves the active version active', function()
    activate(2)
    activate(3, 10)
    published()
    local answer = rollback()
    assert.equal('canary_ended', answer.outcome)
    assert.equal(3, answer.from)
    assert.equal(2, answer.version)
    assert.equal('2', scripts()['login:active'])
    assert.is_nil(scripts()['login:canary'])
    assert.is_nil(scripts()['login:percent'])
    assert.equal(1, #published())
    assert.equal('canary_ended', json(read(key('history'))[1]).event)
    assert.equal(1, rollback().version)
  end)

  it('does not lead to a text that was changed', function()
    activate(2)
    redis.call('HSET', key('sources'), 'login@1', '{"text":"return 3"}')
    local before = state()
    assert.same({ outcome = 'damaged', version = 1 }, rollback())
    assert.same(before, state())
  end)

  it('of a version that was left already changes nothing, so that asking twice does no harm', function()
    activate(2)
    activate(3)
    assert.equal(2, rollback('login', 3).version)
    local before = state()
    assert.same({ outcome = 'moved', version = 2 }, rollback('login', 3))
    assert.same(before, state())
    activate(3, 5)
    assert.equal('moved', rollback('login', 2).outcome)
    assert.equal('canary_ended', rollback('login', 3).outcome)
    assert.equal(1, rollback('login', 2).version)
  end)

  it('knows when nothing is active under a name', function()
    assert.same({ outcome = 'unknown' }, rollback('nobody'))
  end)
end)
