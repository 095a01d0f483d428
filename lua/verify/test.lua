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
    if kind == 'roster' or kind == 'presence' then
      for i = 1, #value, 2 do
        redis.call('ZADD', name, value[i + 1], value[i])
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

describe('the friends of a user whose session is verified', { since = 3 }, function()
  before_each(function()
    redis.call('DEL', key('presence'))
  end)

  local function waiting()
    return redis.call('ZRANGE', key('presence'), 0, -1)
  end

  it('are not told where the session held its seat, fine or repaired', function()
    verify(1, 'aa', bind)
    redis.call('DEL', key('roster'))
    assert.equal('repaired', select(2, verify(1, 'aa', bind)))
    assert.same({}, waiting())
  end)

  it('are told what is true where the store forgot the seat: who knows what they were told', function()
    redis.call('FLUSHDB')
    verify(1, 'aa', bind)
    assert.same({ '~1001' }, waiting())
  end)

  it('hear nothing where the session was reaped a moment ago', function()
    expire(1, 'reaped')
    redis.call('DEL', key('presence'))
    redis.call('ZADD', key('presence'), 1, '-1001')
    verify(1, 'aa', bind)
    assert.same({ '=1001' }, waiting())
  end)

  it('know it where a lower rank held the seat', function()
    issue('bb')
    clock.tick()
    local newer = login(2, 'bb', { node = 'n2' }).bind
    redis.call('FLUSHDB')
    verify(1, 'aa', bind)
    redis.call('DEL', key('presence'))
    verify(2, 'bb', newer, { node = 'n2' })
    assert.same({ '=1001' }, waiting())
  end)
end)

describe('the features of a client', { since = 3 }, function()
  it('come back with the seat', function()
    redis.call('FLUSHDB')
    verify(1, 'aa', bind, { features = 'ack' })
    assert.equal('ack', read(key('seat', UID))['main:features'])
  end)

  it('are put right also where all else is fine', function()
    assert.equal('fine', select(2, verify(1, 'aa', bind, { features = 'batch' })))
    assert.equal('batch', read(key('seat', UID))['main:features'])
    assert.equal('fine', select(2, verify(1, 'aa', bind)))
    assert.equal('', read(key('seat', UID))['main:features'])
  end)
end)

describe('the events of a verify', { since = 3 }, function()
  local function told()
    local found = {}
    for _, entry in ipairs(redis.call('XRANGE', key('events'), '-', '+')) do
      found[#found + 1] = table.concat({ entry[2][2], entry[2][8], entry[2][10], entry[2][14] }, ' ')
    end
    -- The ids of entries tell two stores apart, so none stay.
    redis.call('DEL', key('events'))
    return found
  end

  it('are none where the session is fine', function()
    verify(1, 'aa', bind, { events_max = 100 })
    assert.same({}, told())
  end)

  it('name the session that got its seat back, and the one that lost it', function()
    issue('bb')
    clock.tick()
    local newer = login(2, 'bb', { node = 'n2' }).bind
    redis.call('FLUSHDB')
    verify(1, 'aa', bind, { events_max = 100 })
    local first = ' verify@' .. given_version()
    verify(2, 'bb', newer, { node = 'n2', events_max = 100 })
    local second = ' verify@' .. given_version()
    assert.same({
      'verified ' .. sid(1) .. ' n1' .. first, 'displaced ' .. sid(1) .. ' n1' .. second, 'verified ' .. sid(2) .. ' n2' .. second,
    }, told())
  end)
end)

describe('an inbox with messages', { since = 3 }, function()
  local last

  local function put(count)
    for _ = 1, count do
      last = last + 1
      redis.call('RPUSH', key('inbox', UID), string.format('%.0f|t|1002|1|9000000000000|{"content":"x","msgid":"m"}', last))
    end
  end

  local function delivery()
    return read(key('delivery', UID))
  end

  -- The positions that were published, each with the one before it.
  local function sent()
    local found = {}
    for _, message in ipairs(published()) do
      assert.equal('os:node:n1', message.channel)
      assert.equal(sid(1), message.effects[1].sid)
      found[#found + 1] = string.format('%.0f<%.0f', message.effects[1].after, message.effects[1].position)
    end
    return found
  end

  before_each(function()
    last = 0
  end)

  it('is published again from its head, in order', function()
    put(3)
    redis.call('HSET', key('delivery', UID), 'last', '3', 'main:sid', sid(1), 'main:sent', '2')
    assert.equal('fine', select(2, verify(1, 'aa', bind)))
    assert.same({ '0<1', '1<2', '2<3' }, sent())
    assert.same({ last = '3', ['main:sid'] = sid(1), ['main:sent'] = '3' }, delivery())
  end)

  it('is sent on to a session that was not known to read it', function()
    put(1)
    redis.call('HSET', key('delivery', UID), 'main:sid', sid(9), 'main:sent', '7')
    verify(1, 'aa', bind)
    assert.same({ '0<1' }, sent())
    assert.same({ ['main:sid'] = sid(1), ['main:sent'] = '1' }, delivery())
  end)

  it('has as much under way as may be, and the cursor does not go back', function()
    put(40)
    verify(1, 'aa', bind)
    assert.equal(32, #sent())
    assert.equal('32', delivery()['main:sent'])
    redis.call('HSET', key('delivery', UID), 'main:sent', '36')
    verify(1, 'aa', bind)
    assert.equal(32, #sent())
    assert.equal('36', delivery()['main:sent'])
  end)

  it('holds notifications too', function()
    redis.call('RPUSH', key('inbox', UID), '5|n||1|9000000000000|{"uid":1002,"type":1001,"message":"","time":1}')
    verify(1, 'aa', bind)
    local frame = published()[1].effects[1]
    assert.equal(1025, frame.id)
    assert.equal(1002, frame.json.uid)
    assert.equal(5, frame.position)
  end)

  it('goes with the session where the store forgot the seat', function()
    redis.call('FLUSHDB')
    put(1)
    assert.equal('repaired', select(2, verify(1, 'aa', bind)))
    assert.same({ '0<1' }, sent())
  end)

  it('is nothing to a session that is closed', function()
    put(1)
    issue('bb')
    login(2, 'bb', { node = 'n2' })
    published()
    assert.equal('closed', select(2, verify(1, 'aa', bind)))
    assert.is_nil(delivery())
  end)
end)
