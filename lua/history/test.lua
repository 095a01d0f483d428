-- Who changed what.

local function push(version, digest)
  run('push', {
    script = 'login', script_version = version, digest = digest, who = 'ann',
    source = '{"text":"return ' .. version .. '","parts":[],"tests":{}}',
    body = '{"summary":"It.","since":"0.1.0","contract":{"keys":"seat","arguments":"uid"},"tests":{"passed":3,"failed":0}}',
  })
end

describe('history', function()
  it('is empty at first', function()
    assert.equal('{"history":[]}', run('history', { page_max = 10 }).reply.body)
  end)

  it('is told newest first, as many as are asked for', function()
    push(1, 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db')
    push(2, '7f923f79fe76194c868d7e1d0820de36700eb649')
    local entries = run('history', { page_max = 10 }).reply.json.history
    assert.equal(2, entries[1].version)
    assert.equal(1, entries[2].version)
    assert.equal(1, #run('history', { page_max = 1 }).reply.json.history)
  end)

  it('leaves out what is no JSON', function()
    redis.call('LPUSH', key('history'), 'garbage', '{"old":true}')
    assert.same({ { old = true } }, run('history', { page_max = 10 }).reply.json.history)
  end)

  it('keeps the last 500 changes', function()
    for _ = 1, 500 do
      redis.call('LPUSH', key('history'), '{"old":true}')
    end
    push(1, 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db')
    assert.equal(500, redis.call('LLEN', key('history')))
  end)
end)
