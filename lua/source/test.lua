-- The text of a version.

describe('source', function()
  it('answers null for what is not there', function()
    local answer = run('source', { script = 'login', script_version = 7 })
    assert.equal('{"release":null,"source":null}', answer.reply.body)
  end)

  it('answers text and release', function()
    run('push', {
      script = 'login', script_version = 7, digest = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', who = 'ann',
      source = '{"text":"return 1","parts":[["login/v7.lua",1]],"tests":{}}',
      body = '{"summary":"It.","since":"0.1.0","contract":{"keys":"seat","arguments":"uid"},"tests":{"passed":3,"failed":0}}',
    })
    local answer = run('source', { script = 'login', script_version = 7 }).reply.json
    assert.equal('return 1', answer.source.text)
    assert.same({ { 'login/v7.lua', 1 } }, answer.source.parts)
    assert.equal('ann', answer.release.who)
  end)
end)
