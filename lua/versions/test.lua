-- What the fleet chose and keeps.

describe('versions', function()
  it('answers an empty fleet', function()
    assert.same({ revision = 0, pointers = {}, releases = {} }, run('versions').reply.json)
  end)

  it('leaves out what is no JSON', function()
    redis.call('HSET', key('releases'), 'login@1', 'garbage', 'login@2', '{}')
    assert.same({ ['login@2'] = {} }, run('versions').reply.json.releases)
  end)

  it('lists pointers and releases', function()
    for version, digest in ipairs({ 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', '7f923f79fe76194c868d7e1d0820de36700eb649' }) do
      run('push', {
        script = 'login', script_version = version, digest = digest, who = 'ann', builtin = '1', revision = 0,
        source = '{"text":"return ' .. version .. '","parts":[],"tests":{}}',
        body = '{"summary":"It.","since":"0.1.0","contract":{"keys":"seat","arguments":"uid"},"tests":{"passed":3,"failed":0}}',
      })
    end
    local answer = run('versions').reply.json
    assert.equal(tonumber(read(key('scripts')).revision), answer.revision)
    assert.same({ ['login:active'] = '1', ['login:digest'] = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', ['login:since'] = '0' },
      answer.pointers)
    assert.equal('It.', answer.releases['login@1'].summary)
    assert.equal('7f923f79fe76194c868d7e1d0820de36700eb649', answer.releases['login@2'].digest)
  end)
end)
