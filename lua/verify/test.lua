-- A live session held against its seat: what is fine stays, what the store forgot is put back, what has ended is closed.

local UID = '1001'

local function with(arguments, more)
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return arguments
end

local function issue(token)
  return run('ticket', { uid = UID, class = 'main', token_digest = token }).reply.json
end

local function login(n, token, more)
  return run('login', with({ uid = UID, sid = sid(n), token_digest = token, address = 'a:' .. n }, more))
end

local function verify(n, token, bind, more)
  local e = run('verify', with({ uid = UID, sid = sid(n), class = 'main', token_digest = token, number = bind.number,
    epoch = bind.epoch, address = 'a:' .. n }, more))
  return e, e.reply.json.outcome
end

local function expire(n, reason)
  run('expire', { uid = UID, sid = sid(n), class = 'main', reason = reason })
end

local function holder()
  local seat = run('lookup', { uid = UID }).reply.json.seats[1]
  return seat and seat.sid
end

local function count(node, incarnation)
  return run('count', { node = node or 'n1', incarnation = incarnation }).reply.json.count
end

-- The store falls back to an older copy.
local function rollback_to(copy)
  redis.call('FLUSHDB')
  for name, value in pairs(copy) do
    local kind = string.match(name, '{0}:(%a+)')
    if kind == 'roster' then
      for i = 1, #value, 2 do
        redis.call('ZADD', name, 0, value[i])
      end
    elseif kind ~= 'trail' then
      for field, text in pairs(value) do
        redis.call('HSET', name, field, text)
      end
    end
  end
end

local bind
before_each(function()
  issue('aa')
  bind = login(1, 'aa').bind
  published()
end)

describe('a session that holds its seat', function()
  it('is fine, and nothing is written', function()
    local before = state()
    local e, outcome = verify(1, 'aa', bind)
    assert.equal('fine', outcome)
    assert.effects('reply', e)
    assert.same(before, state())
    assert.same({}, published())
  end)

  it('gets its roster entry back (G4)', function()
    redis.call('DEL', key('roster'))
    local e, outcome = verify(1, 'aa', bind)
    assert.equal('repaired', outcome)
    assert.effects('reply bind', e)
    assert.equal(bind.epoch, e.bind.epoch)
    assert.equal(1, count())
  end)

  it('gets its ticket back', function()
    redis.call('DEL', key('ticket', UID))
    assert.equal('repaired', select(2, verify(1, 'aa', bind)))
    assert.is_true(login(2, 'aa').reply.json.resumed)
  end)

  it('moves with its node to a newer incarnation, and is counted once (G4)', function()
    local e, outcome = verify(1, 'aa', bind, { incarnation = '1700000009000' })
    assert.equal('repaired', outcome)
    assert.equal(bind.epoch, e.bind.epoch)
    assert.equal(0, count('n1', '1700000000000'))
    assert.equal(1, count('n1', '1700000009000'))
  end)

  it('is told the rank of its seat, where the answer that gave it was lost', function()
    redis.call('FLUSHDB')
    issue('aa')
    clock.tick()
    local other = login(2, 'aa').bind
    redis.call('HSET', key('seat', UID), 'main:number', bind.number - 1)
    local given = verify(1, 'aa', bind).bind
    assert.equal(other.epoch + 1, given.epoch)
    local before = state()
    local e, outcome = verify(1, 'aa', bind)
    assert.equal('fine', outcome)
    assert.same({ name = 'bind', uid = UID, class = 'main', number = given.number, epoch = given.epoch }, e.bind)
    assert.same(before, state())
  end)

  it('raises the rank of a store that fell back to a lower one of its own', function()
    redis.call('HSET', key('seat', UID), 'main:epoch', bind.epoch - 5)
    local e, outcome = verify(1, 'aa', bind)
    assert.equal('repaired', outcome)
    assert.equal(bind.epoch, e.bind.epoch)
    assert.equal(tostring(bind.epoch), string.format('%s', redis.call('HGET', key('seat', UID), 'main:epoch')))
  end)

  it('is told the number of its newer ticket, should it not know', function()
    redis.call('HSET', key('seat', UID), 'main:number', bind.number + 7)
    redis.call('DEL', key('roster'))
    local e, outcome = verify(1, 'aa', bind)
    assert.equal('repaired', outcome)
    assert.equal(bind.number + 7, e.bind.number)
  end)

  it('still has what it was answered at its login, should that be asked again (G12)', function()
    local moved = { incarnation = '1700000009000' }
    local resumed = login(2, 'aa')
    assert.is_true(resumed.reply.json.resumed)
    assert.equal('repaired', select(2, verify(2, 'aa', resumed.bind, moved)))
    assert.equal(resumed.reply.body, login(2, 'aa', moved).reply.body)
  end)

  it('never loses epoch, whatever epoch it believes in', function()
    local e = verify(1, 'aa', { number = bind.number, epoch = bind.epoch - 5 }, { incarnation = '1700000009000' })
    assert.equal(bind.epoch, e.bind.epoch)
  end)
end)

describe('a store that forgot everything (G7)', function()
  it('seats the session again under its own rank', function()
    redis.call('FLUSHDB')
    local e, outcome = verify(1, 'aa', bind)
    assert.equal('repaired', outcome)
    assert.effects('reply bind', e)
    assert.same(bind, e.bind)
    assert.equal(sid(1), holder())
    assert.equal(1, count())
    assert.equal('verified', run('lookup', { uid = UID }).reply.json.trail[1].event)
    assert.equal(-1, redis.call('PTTL', key('seat', UID)))
    assert.same({}, published())
  end)

  it('is mended once (G12)', function()
    redis.call('FLUSHDB')
    verify(1, 'aa', bind)
    local before = state()
    assert.equal('fine', select(2, verify(1, 'aa', bind)))
    assert.same(before, state())
  end)

  it('gives the seat to the higher rank, whoever comes first', function()
    issue('bb')
    local newer = login(2, 'bb', { node = 'n2' }).bind
    for _, order in ipairs({ { 1, 2 }, { 2, 1 } }) do
      redis.call('FLUSHDB')
      published()
      for _, n in ipairs(order) do
        if n == 1 then verify(1, 'aa', bind) else verify(2, 'bb', newer, { node = 'n2' }) end
      end
      assert.equal(sid(2), holder())
      assert.equal(0, count('n1'))
      assert.equal(1, count('n2'))
      local messages = published()
      assert.equal(1, #messages, 'the lower rank is told, once')
      assert.equal('os:node:n1', messages[1].channel)
      assert.equal(sid(1), messages[1].effects.kick.sid)
    end
  end)

  it('keeps a late session out past not_after (rule 4)', function()
    redis.call('FLUSHDB')
    local e, outcome = verify(1, 'aa', bind, { not_after = clock.now() - 1 })
    assert.equal('late', outcome)
    assert.effects('reply', e)
    assert.same({}, state())
  end)

  it('keeps a higher held ticket that somebody brought meanwhile', function()
    redis.call('FLUSHDB')
    clock.tick()
    issue('bb')
    local taker = login(2, 'bb').bind
    assert.is_true(taker.number > bind.number)
    assert.equal('closed', select(2, verify(1, 'aa', bind)))
    assert.equal('bb', read(key('ticket', UID))['main:held'])
  end)

  it('leaves a newer next ticket, with which the seat can be taken', function()
    redis.call('FLUSHDB')
    clock.tick()
    issue('bb')
    verify(1, 'aa', bind)
    assert.effects('bind reply kick', login(2, 'bb'))
    assert.equal(1010, login(3, 'aa').reply.json.error)
  end)
end)

describe('a store that fell back to an older copy (G7)', function()
  it('gives the seat back to the newer holder and kicks the older one', function()
    local copy = state()
    issue('bb')
    local newer = login(2, 'bb', { node = 'n2' }).bind
    rollback_to(copy)
    published()
    local e, outcome = verify(2, 'bb', newer, { node = 'n2' })
    assert.equal('repaired', outcome)
    assert.effects('reply bind kick', e)
    assert.equal(newer.number, e.bind.number)
    assert.equal(sid(1), e.kick.sid)
    assert.equal('displaced', e.kick.reason)
    assert.same({ e.kick }, published()[1].effects)
    assert.equal(sid(2), holder())
    assert.equal(0, count('n1'))
    assert.equal(1, count('n2'))
    assert.equal('closed', select(2, verify(1, 'aa', bind)))
  end)

  it('raises the epoch above that of whoever it displaces', function()
    local copy = state()
    issue('bb')
    local newer = login(2, 'bb').bind
    rollback_to(copy)
    clock.tick()
    clock.tick()
    local resumed = login(3, 'aa').bind
    assert.is_true(resumed.epoch > newer.epoch)
    assert.equal(resumed.epoch + 1, verify(2, 'bb', newer).bind.epoch)
  end)

  it('drops a next ticket that was used before, so that its device resumes and is no stranger to itself (G11)', function()
    issue('bb')
    local copy = state()
    local newer = login(2, 'bb').bind
    rollback_to(copy)
    verify(2, 'bb', newer)
    local e = login(3, 'bb')
    assert.is_true(e.reply.json.resumed)
    assert.equal('resumed', e.kick.reason)
  end)
end)

describe('a session whose seat another holds', function()
  it('is closed here by the higher rank, and its own node is told (G2)', function()
    issue('bb')
    local newer = login(2, 'bb', { node = 'n2' }).bind
    published()
    local before = state()
    local e, outcome = verify(1, 'aa', bind)
    assert.equal('closed', outcome)
    assert.effects('reply kick', e)
    assert.equal(sid(1), e.kick.sid)
    assert.equal('displaced', e.kick.reason)
    assert.equal(1021, e.kick.id)
    assert.equal('a:2', e.kick.json.by.address)
    assert.equal(newer.epoch, e.kick.json.epoch)
    assert.equal('os:node:n1', published()[1].channel)
    assert.same(before, state())
  end)

  it('is told goodbye, not "logged in elsewhere", when it was its own ticket that came back', function()
    login(2, 'aa')
    local e = verify(1, 'aa', bind)
    assert.equal('resumed', e.kick.reason)
    assert.equal(1101, e.kick.id)
  end)
end)

describe('a session whose taker has left again', { since = 2 }, function()
  local bind
  before_each(function()
    issue('aa')
    bind = login(1, 'aa').bind
    clock.tick()
    issue('bb')
    login(2, 'bb', { node = 'n2' })
    published()
    run('logout', { uid = UID, sid = sid(2), class = 'main', node = 'n2' })
  end)

  it('is told who took its seat all the same (G2)', function()
    clock.tick()
    local e, outcome = verify(1, 'aa', bind)
    assert.equal('closed', outcome)
    assert.equal('displaced', e.kick.reason)
    assert.equal(1021, e.kick.id)
    assert.same({ class = 'main', address = 'a:2' }, e.kick.json.by)
    assert.equal('verify@' .. given_version(), e.kick.json.script)
    assert.is_nil(holder())
  end)

  it('is told so also when the seat itself is forgotten', function()
    clock.advance(3600001)
    expire(1, 'expired')
    local e = verify(1, 'aa', bind)
    assert.equal('displaced', e.kick.reason)
    assert.equal(bind.epoch, e.kick.json.epoch)
  end)

  it('is told so only for its own ticket', function()
    local e = verify(1, 'cc', bind)
    assert.equal('internal', e.kick.reason)
  end)
end)

describe('a session that ended', function()
  it('is closed, and not seated again', function()
    for i, reason in ipairs({ 'expired', 'left' }) do
      issue('t' .. i)
      local b = login(10 + i, 't' .. i).bind
      if reason == 'left' then
        run('logout', { uid = UID, sid = sid(10 + i) })
      else
        expire(10 + i, reason)
      end
      local e, outcome = verify(10 + i, 't' .. i, b)
      assert.equal('closed', outcome)
      assert.effects('reply kick', e)
      assert.equal(1101, e.kick.id)
      assert.equal(reason == 'left' and 'internal' or reason, e.kick.reason)
      assert.is_nil(holder())
    end
  end)

  it('is closed by a tombstone of higher rank', function()
    issue('bb')
    login(2, 'bb')
    run('logout', { uid = UID, sid = sid(2) })
    redis.call('HDEL', key('seat', UID), 'main:ended1')
    local e, outcome = verify(1, 'aa', bind)
    assert.equal('closed', outcome)
    assert.is_nil(e.bind)
    assert.is_nil(holder())
  end)

  it('was ended by a logout that overtook its login: it stays out', function()
    redis.call('FLUSHDB')
    assert.equal('never', run('logout', { uid = UID, sid = sid(1) }).reply.json.outcome)
    assert.equal('closed', select(2, verify(1, 'aa', bind)))
  end)
end)

describe('a tombstone', function()
  it('of lower rank gives way', function()
    local copy = state()
    issue('bb')
    local newer = login(2, 'bb', { node = 'n2' }).bind
    rollback_to(copy)
    run('logout', { uid = UID, sid = sid(1) })
    local e, outcome = verify(2, 'bb', newer, { node = 'n2' })
    assert.equal('repaired', outcome)
    assert.is_nil(e.kick)
    assert.equal(sid(2), holder())
    assert.equal(-1, redis.call('PTTL', key('seat', UID)))
  end)

  it('that says reaped with this very epoch gives way, under the newer incarnation (rule 6)', function()
    expire(1, 'reaped')
    local e, outcome = verify(1, 'aa', bind, { incarnation = '1700000009000' })
    assert.equal('repaired', outcome)
    assert.equal(bind.epoch, e.bind.epoch)
    assert.equal(sid(1), holder())
    assert.is_nil(read(key('seat', UID))['main:end'])
    assert.is_nil(read(key('ticket', UID))['main:held_until'])
    assert.equal(1, count('n1', '1700000009000'))
    assert.equal('fine', select(2, verify(1, 'aa', bind, { incarnation = '1700000009000' })))
    assert.equal(0, login(1, 'aa').reply.json.error, 'its sid counts as ended no more')
  end)

  it('that says reaped with another epoch does not', function()
    expire(1, 'reaped')
    local e, outcome = verify(1, 'aa', { number = bind.number, epoch = bind.epoch - 1 })
    assert.equal('closed', outcome)
    assert.equal('internal', e.kick.reason)
    assert.is_nil(holder())
  end)

  it('that says reaped gives way only in time', function()
    expire(1, 'reaped')
    assert.equal('late', select(2, verify(1, 'aa', bind, { not_after = clock.now() - 1 })))
    assert.is_nil(holder())
  end)
end)
