-- Nobody is displaced while a match is on. The game's backend writes the end of the match into the profile:
-- HSET os:{0}:user:1001 match_until 1700000060000

local UID = '1001'

local function login(n, digest)
  return run('login', { uid = UID, sid = sid(n), token_digest = digest, address = '10.0.0.' .. n .. ':5000' })
end

local function ticket(digest)
  clock.tick()
  run('ticket', { uid = UID, class = 'main', token_digest = digest })
end

local function match_ends_in(ms)
  redis.call('HSET', key('user', UID), 'match_until', clock.now() + ms)
end

describe('while a match is on', { since = 3 }, function()
  before_each(function()
    ticket('first')
    login(1, 'first')
    ticket('second')
  end)

  it('a newcomer is refused, told how long, and the player stays', function()
    match_ends_in(60000)
    local before = read(key('seat', UID))
    local e = login(2, 'second')
    assert.effects('reply', e)
    assert.equal(1102, e.reply.json.error)
    assert.equal('match', e.reply.json.reason)
    assert.is_true(e.reply.json.retry_after_ms > 0 and e.reply.json.retry_after_ms <= 60000)
    assert.same(before, read(key('seat', UID)))
    assert.same({}, published())
  end)

  it('the player comes back with the own ticket', function()
    match_ends_in(60000)
    local e = login(3, 'first')
    assert.is_true(e.reply.json.resumed)
    assert.equal('resumed', e.kick.reason)
  end)

  it('somebody else who has no seat logs in', function()
    run('logout', { uid = UID, sid = sid(1) })
    match_ends_in(60000)
    assert.effects('bind reply', login(2, 'second'))
  end)

  it('and afterwards, the seat is taken as ever', function()
    match_ends_in(60000)
    clock.advance(60000)
    assert.effects('bind reply kick', login(2, 'second'))
  end)

  it('an end that is no number counts as none', function()
    redis.call('HSET', key('user', UID), 'match_until', 'soon')
    assert.effects('bind reply kick', login(2, 'second'))
  end)
end)
