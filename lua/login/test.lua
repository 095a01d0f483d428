-- Taking a seat: who may, what the displaced one is told, and why a lost or late call does no harm.

local UID = '1001'

local function issue(token, class)
  return run('ticket', { uid = UID, class = class or 'main', token_digest = token }).reply.json
end

-- Which version each login ran, in order; two may take turns.
local ran = {}

local function login(n, token, more)
  local arguments = { uid = UID, sid = sid(n), token_digest = token, address = '10.0.0.' .. n .. ':5000' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  local effects = run('login', arguments)
  ran[#ran + 1] = 'login@' .. given_version()
  return effects
end

local function logout(n, more)
  local arguments = { uid = UID, sid = sid(n) }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('logout', arguments).reply.json.outcome
end

local function expire(n, reason)
  return run('expire', { uid = UID, sid = sid(n), class = 'main', reason = reason }).reply.json.outcome
end

local function verify(n, token, bind, more)
  local arguments = { uid = UID, sid = sid(n), class = 'main', token_digest = token, number = bind.number,
    epoch = bind.epoch, address = '10.0.0.' .. n .. ':5000' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('verify', arguments)
end

local function holders()
  local found = {}
  for _, seat in ipairs(run('lookup', { uid = UID }).reply.json.seats) do
    found[#found + 1] = seat.class .. ' ' .. seat.sid .. ' ' .. seat.node
  end
  return table.concat(found, ', ')
end

local function count(node)
  return run('count', { node = node or 'n1' }).reply.json.count
end

local function events()
  local found = {}
  for _, entry in ipairs(run('lookup', { uid = UID }).reply.json.trail) do
    found[#found + 1] = entry.event
  end
  return table.concat(found, ' ')
end

local function refused(error, reason, effects)
  assert.equal(error, effects.reply.json.error)
  assert.equal(reason, effects.reply.json.reason)
  assert.is_nil(effects.bind)
end

describe('an empty seat', function()
  it('is taken with a fresh ticket', function()
    local ticket = issue('aa')
    local e = login(1, 'aa')
    assert.effects('bind reply', e)
    assert.equal(UID, e.bind.uid)
    assert.equal('main', e.bind.class)
    assert.equal(ticket.number, e.bind.number)
    assert.equal(1006, e.reply.id)
    assert.same({
      error = 0, uid = 1001, sid = sid(1), class = 'main', epoch = e.bind.epoch, resumed = false,
      heartbeat_interval_ms = 10000, heartbeat_limit_ms = 60000,
    }, e.reply.json)
    assert.equal('main ' .. sid(1) .. ' n1', holders())
    assert.equal(1, count())
    assert.same({}, published())
  end)

  it('remembers who sits there', function()
    issue('aa')
    local e = login(1, 'aa')
    local seat = run('lookup', { uid = UID }).reply.json.seats[1]
    assert.equal('10.0.0.1:5000', seat.address)
    assert.equal(e.bind.epoch, seat.epoch)
    assert.equal(1700000000000, seat.incarnation)
    assert.matches('^login@%d+$', seat.version)
    assert.equal('taken', events())
    assert.same({ 'n1#1700000000000|1001|main|' .. sid(1), '0' }, read(key('roster')))
  end)

  it('keeps no trail when that is switched off', function()
    defaults({ trail_max = 0 })
    issue('aa')
    login(1, 'aa')
    assert.is_nil(read(key('trail', UID)))
  end)

  it('keeps a trail of bounded length', function()
    defaults({ trail_max = 3 })
    for n = 1, 5 do
      issue('t' .. n)
      login(n, 't' .. n)
    end
    assert.equal(3, redis.call('LLEN', key('trail', UID)))
  end)

  it('is open to ids that are no numbers and to numbers past 14 digits', function()
    for _, uid in ipairs({ '9007199254740991', 'a"b\\c', '007' }) do
      run('ticket', { uid = uid, class = 'main', token_digest = 'aa' })
      local e = run('login', { uid = uid, sid = sid(1), token_digest = 'aa', address = 'x' })
      assert.equal(0, e.reply.json.error)
      local is_number = uid == '9007199254740991'
      assert.equal(is_number and 9007199254740991 or uid, e.reply.json.uid)
      assert.is_true(not is_number or string.find(e.reply.body, uid, 1, true) ~= nil)
    end
  end)

  it('shows the profile, and of it only what others may see', function()
    redis.call('HSET', key('user', UID), 'name', 'ann', 'nick', 'A "x"', 'icon', 'i.png', 'desc', '', 'sex', '1', 'pwd', 'secret',
      'email', 'a@b')
    issue('aa')
    local reply = login(1, 'aa').reply
    assert.equal('ann', reply.json.name)
    assert.equal('A "x"', reply.json.nick)
    assert.equal('i.png', reply.json.icon)
    assert.equal('', reply.json.desc)
    assert.equal(1, reply.json.sex)
    assert.is_nil(reply.json.pwd)
    assert.is_nil(reply.json.email)
  end)

  it('is given although the profile holds nonsense', function()
    redis.call('HSET', key('user', UID), 'sex', 'unknown')
    issue('aa')
    assert.equal(0, login(1, 'aa').reply.json.error)
  end)
end)

describe('a refusal', function()
  it('is 1011 for a user without any ticket', function()
    refused(1011, nil, login(1, 'aa'))
    assert.same({}, state())
  end)

  it('is 1010 for a token that was never issued, and tells it nothing', function()
    issue('aa')
    login(1, 'aa')
    local before = state()
    local e = login(2, 'zz')
    refused(1010, nil, e)
    assert.is_nil(e.reply.json.by)
    assert.is_nil(e.reply.json.at)
    assert.same(before, state())
  end)

  it('is 1010 expired for a next ticket past its deadline', function()
    local ticket = run('ticket', { uid = UID, class = 'main', token_digest = 'aa', ttl_ms = 5000 }).reply.json
    clock.set(ticket.expires_at_ms + 1)
    refused(1010, 'expired', login(1, 'aa'))
  end)

  it('does not come while the next ticket still lives', function()
    local ticket = run('ticket', { uid = UID, class = 'main', token_digest = 'aa', ttl_ms = 5000 }).reply.json
    clock.set(ticket.expires_at_ms)
    assert.equal(0, login(1, 'aa').reply.json.error)
  end)

  it('is 1010 expired for a held ticket whose deadline ran out on an empty seat', function()
    run('ticket', { uid = UID, class = 'main', token_digest = 'aa', ttl_ms = 5000 })
    login(1, 'aa')
    clock.advance(4000)
    logout(1)
    clock.advance(5000)
    assert.equal(0, login(2, 'aa').reply.json.error)
    logout(2)
    clock.advance(5001)
    refused(1010, 'expired', login(3, 'aa'))
  end)

  it('does not come for a held ticket while the seat is held, however old the ticket is', function()
    run('ticket', { uid = UID, class = 'main', token_digest = 'aa', ttl_ms = 5000 })
    login(1, 'aa')
    clock.advance(100000000)
    assert.equal(0, login(2, 'aa').reply.json.error)
  end)

  it('is 1101 past not_after, and nothing is written', function()
    issue('aa')
    local before = state()
    local e = login(1, 'aa', { not_after = clock.now() - 1 })
    assert.effects('reply', e)
    refused(1101, nil, e)
    assert.equal(1000, e.reply.json.retry_after_ms)
    assert.same(before, state())
    assert.same({}, published())
  end)

  it('does not come at the very millisecond of not_after', function()
    issue('aa')
    clock.set(clock.now())
    assert.equal(0, login(1, 'aa', { not_after = clock.now() }).reply.json.error)
  end)

  it('is 1102 held under deny while another holds the seat', function()
    issue('aa')
    login(1, 'aa')
    issue('bb')
    local before = state()
    refused(1102, 'held', login(2, 'bb', { policy = 'deny' }))
    assert.same(before, state())
    logout(1)
    assert.equal(0, login(3, 'bb', { policy = 'deny' }).reply.json.error)
  end)

  it('under deny does not hit the session itself, nor its own resume', function()
    issue('aa')
    login(1, 'aa', { policy = 'deny' })
    assert.equal(0, login(1, 'aa', { policy = 'deny' }).reply.json.error)
    assert.equal(0, login(2, 'aa', { policy = 'deny' }).reply.json.error)
    assert.equal('main ' .. sid(2) .. ' n1', holders())
  end)
end)

describe('a takeover', function()
  before_each(function()
    issue('aa')
    login(1, 'aa', { node = 'n1' })
    issue('bb')
    published()
  end)

  it('moves the seat, its roster entry and its epoch (G1, G4)', function()
    local e = login(2, 'bb', { node = 'n2' })
    assert.effects('bind reply kick', e)
    assert.equal('main ' .. sid(2) .. ' n2', holders())
    assert.equal(0, count('n1'))
    assert.equal(1, count('n2'))
    assert.equal('taken displaced taken', events())
  end)

  it('gives every holder a higher rank than the one before', function()
    local first = run('lookup', { uid = UID }).reply.json.seats[1]
    local second = login(2, 'bb').bind
    assert.is_true(second.epoch > first.epoch)
    issue('cc')
    local third = login(3, 'cc').bind
    assert.is_true(third.epoch > second.epoch)
    assert.is_true(third.number > second.number)
  end)

  it('names who took the seat to the displaced one, on its node and here (G2)', function()
    local e = login(2, 'bb', { node = 'n2' })
    assert.equal(sid(1), e.kick.sid)
    assert.equal('displaced', e.kick.reason)
    assert.equal(1021, e.kick.id)
    assert.same({
      error = 0, uid = 1001, reason = 'displaced', at = e.kick.json.at, epoch = e.bind.epoch,
      by = { class = 'main', address = '10.0.0.2:5000' }, script = 'login@' .. given_version(),
    }, e.kick.json)
    local messages = published()
    assert.equal(1, #messages)
    assert.equal('os:node:n1', messages[1].channel)
    assert.same({ e.kick }, messages[1].effects)
  end)

  it('publishes the kick also when both are on one node, so that a lost reply loses no kick', function()
    login(2, 'bb')
    assert.equal('os:node:n1', published()[1].channel)
  end)

  it('survives odd characters in the address of the taker', function()
    local e = login(2, 'bb', { address = 'a"b\\c/d\1' })
    assert.equal('a"b\\c/d\1', e.kick.json.by.address)
    assert.same({ e.kick }, published()[1].effects)
  end)

  it('leaves no second way back: the displaced ticket is refused and told who took the seat, when and from where (G11)', function()
    local at = clock.now()
    local taken = login(2, 'bb', { node = 'n2' })
    local before = state()
    local e = login(3, 'aa')
    assert.effects('reply', e)
    refused(1010, 'displaced', e)
    assert.same({ class = 'main', address = '10.0.0.2:5000' }, e.reply.json.by)
    assert.is_true(e.reply.json.at >= at and e.reply.json.at == taken.kick.json.at)
    assert.same(before, state())
  end)

  it('tells a token that is older than the last voided one nothing', function()
    login(2, 'bb')
    issue('cc')
    login(3, 'cc')
    refused(1010, nil, login(4, 'aa'))
    refused(1010, 'displaced', login(4, 'bb'))
  end)

  it('closes the displaced session that logs in again: the refusal is its notice', function()
    login(2, 'bb')
    local e = login(1, 'aa')
    assert.effects('reply close', e)
    refused(1010, 'displaced', e)
    assert.equal('displaced', e.close.reason)
    assert.equal('main ' .. sid(2) .. ' n1', holders())
  end)

  it('does not give the seat back to an ended sid, even with a ticket that is good', function()
    login(2, 'bb')
    issue('cc')
    local before = state()
    local e = login(1, 'cc')
    assert.effects('reply close', e)
    refused(1010, 'internal', e)
    assert.equal('internal', e.close.reason)
    assert.same(before, state())
  end)

  it('remembers the last four that ended', function()
    for n = 2, 5 do
      issue('t' .. n)
      login(n, 't' .. n)
    end
    issue('last')
    for n = 1, 4 do
      assert.effects('reply close', login(n, 'last'), 'sid ' .. n)
    end
    assert.equal('main ' .. sid(5) .. ' n1', holders())
  end)

  it('never touches a newer holder with a late logout or expiry of the old one (G3)', function()
    login(2, 'bb', { node = 'n2' })
    local before = state()
    assert.equal('ended', logout(1))
    assert.equal('ended', expire(1, 'expired'))
    assert.equal('ended', expire(1, 'reaped'))
    assert.same(before, state())
  end)

  it('keeps to one device class', function()
    issue('pp', 'phone')
    local e = login(5, 'pp', { node = 'n2' })
    assert.effects('bind reply', e)
    assert.equal('main ' .. sid(1) .. ' n1, phone ' .. sid(5) .. ' n2', holders())
    assert.equal(1, count('n1'))
    assert.equal(1, count('n2'))
  end)
end)

describe('a resume', function()
  before_each(function()
    issue('aa')
    login(1, 'aa', { node = 'n1' })
    published()
  end)

  it('replaces the own older connection with a goodbye, never with an off-line notice (G11)', function()
    local e = login(2, 'aa', { node = 'n2' })
    assert.effects('bind reply kick', e)
    assert.is_true(e.reply.json.resumed)
    assert.equal('resumed', e.kick.reason)
    assert.equal(1101, e.kick.id)
    assert.equal('resumed', e.kick.json.reason)
    assert.same({ e.kick }, published()[1].effects)
    assert.equal('main ' .. sid(2) .. ' n2', holders())
    assert.equal(0, count('n1'))
    assert.equal('resumed taken', events())
  end)

  it('keeps the number of the ticket and raises the epoch', function()
    local before = run('lookup', { uid = UID }).reply.json.seats[1].epoch
    local ticket = read(key('ticket', UID))
    local e = login(2, 'aa')
    assert.equal(ticket['main:held_number'], string.format('%.0f', e.bind.number))
    assert.is_true(e.bind.epoch > before)
    assert.same(ticket, read(key('ticket', UID)))
  end)

  it('finds an empty seat again within the time of the ticket, and stops its deadline', function()
    assert.equal('left', logout(1))
    assert.is_not_nil(read(key('ticket', UID))['main:held_until'])
    local e = login(2, 'aa')
    assert.effects('bind reply', e)
    assert.is_true(e.reply.json.resumed)
    assert.is_nil(read(key('ticket', UID))['main:held_until'])
    assert.equal(-1, redis.call('PTTL', key('ticket', UID)))
    assert.equal(-1, redis.call('PTTL', key('seat', UID)))
  end)

  it('is not possible for the session that was replaced', function()
    login(2, 'aa')
    local e = login(1, 'aa')
    assert.effects('reply close', e)
    assert.equal('resumed', e.close.reason)
    assert.equal('main ' .. sid(2) .. ' n1', holders())
  end)

  it('leaves a next ticket alone', function()
    issue('bb')
    login(2, 'aa')
    assert.effects('bind reply kick', login(3, 'bb'))
  end)
end)

describe('a lost reply (G12)', function()
  it('of a first login changes nothing and answers the same', function()
    issue('aa')
    local first = login(1, 'aa')
    local before = state()
    clock.tick()
    local again = login(1, 'aa')
    assert.same(first, again)
    assert.same(before, state())
    assert.same({}, published())
  end)

  it('of a takeover repeats the kick, word for word', function()
    issue('aa')
    login(1, 'aa', { node = 'n2' })
    issue('bb')
    local first = login(2, 'bb')
    local told = published()
    local before = state()
    clock.tick()
    local again = login(2, 'bb')
    assert.same(first, again)
    assert.same(told, published())
    assert.same(before, state())
  end)

  it('of a resume answers the same', function()
    issue('aa')
    login(1, 'aa')
    local first = login(2, 'aa')
    assert.is_true(first.reply.json.resumed)
    assert.same(first, login(2, 'aa'))
  end)

  it('of a resume of an empty seat answers the same', function()
    issue('aa')
    login(1, 'aa')
    logout(1)
    local first = login(2, 'aa')
    local before = state()
    assert.same(first, login(2, 'aa'))
    assert.same(before, state())
  end)

  it('followed by logouts until one is confirmed leaves nobody behind', function()
    issue('aa')
    login(1, 'aa')
    assert.equal('left', logout(1))
    assert.equal('ended', logout(1))
    assert.equal('', holders())
    assert.equal(0, count())
  end)

  it('whose logout overtakes the login keeps that login out for good', function()
    issue('aa')
    assert.equal('never', logout(1))
    local e = login(1, 'aa')
    assert.effects('reply close', e)
    assert.equal('', holders())
    assert.equal(0, login(2, 'aa').reply.json.error)
  end)

  it('after the seat moved on answers with the refusal, and repeats no kick', function()
    issue('aa')
    login(1, 'aa')
    issue('bb')
    login(2, 'bb')
    issue('cc')
    login(3, 'cc')
    published()
    assert.effects('reply close', login(2, 'bb'))
    assert.same({}, published())
  end)

  it('may be repaired with a newer ticket of the same connection', function()
    issue('aa')
    local first = login(1, 'aa')
    local newer = issue('bb')
    local again = login(1, 'bb')
    assert.equal(newer.number, again.bind.number)
    assert.equal(first.bind.epoch, again.bind.epoch)
    assert.equal(1, count())
  end)
end)

describe('a tombstone', function()
  before_each(function()
    issue('aa')
    login(1, 'aa', { node = 'n2' })
  end)

  it('is kept for an hour, and gone with the next holder', function()
    logout(1)
    local seat = read(key('seat', UID))
    assert.equal('left', seat['main:end'])
    assert.equal(sid(1), seat['main:sid'])
    assert.equal('n2', seat['main:node'])
    local left = redis.call('PTTL', key('seat', UID))
    assert.is_true(left > 3590000 and left <= 3600000)
    issue('bb')
    login(2, 'bb')
    assert.is_nil(read(key('seat', UID))['main:end'])
    assert.equal(-1, redis.call('PTTL', key('seat', UID)))
  end)

  it('that says reaped is told to that session, should it still live (rule 8)', function()
    assert.equal('reaped', run('expire', { uid = UID, sid = sid(1), class = 'main', reason = 'reaped', node = 'n2' }).reply.json.outcome)
    issue('bb')
    published()
    local e = login(2, 'bb')
    assert.effects('bind reply kick', e)
    assert.equal(sid(1), e.kick.sid)
    assert.equal('displaced', e.kick.reason)
    assert.equal('os:node:n2', published()[1].channel)
  end)

  it('that says left or expired has nobody to tell', function()
    expire(1, 'expired')
    issue('bb')
    published()
    assert.effects('bind reply', login(2, 'bb'))
    assert.same({}, published())
  end)

  it('voids the ticket that was held, and says that it was superseded', function()
    logout(1)
    issue('bb')
    login(2, 'bb')
    refused(1010, 'superseded', login(3, 'aa'))
  end)

  it('carries the epoch on', function()
    local epoch = run('lookup', { uid = UID }).reply.json.seats[1].epoch
    logout(1)
    assert.is_true(login(2, 'aa').bind.epoch > epoch)
  end)
end)

describe('time that goes back', function()
  it('makes no epoch and no number smaller', function()
    local ticket = issue('aa')
    local first = login(1, 'aa')
    clock.advance(-3600000)
    assert.is_true(issue('bb').number > ticket.number)
    local second = login(2, 'bb')
    assert.equal(0, second.reply.json.error)
    assert.equal(first.bind.epoch + 1, second.bind.epoch)
    assert.is_true(second.bind.number > first.bind.number)
  end)
end)

describe('a store that forgot (G7)', function()
  it('lets the session log in again only with a new ticket, or be put back by verify', function()
    issue('aa')
    local bind = login(1, 'aa').bind
    redis.call('FLUSHDB')
    refused(1011, nil, login(1, 'aa'))
    assert.equal('repaired', verify(1, 'aa', bind).reply.json.outcome)
    assert.same({ 'main ' .. sid(1) .. ' n1', 1 }, { holders(), count() })
    assert.is_true(login(2, 'aa').reply.json.resumed)
  end)
end)

describe('a welcome script', function()
  it('answers in place of login', function()
    issue('aa')
    local e = login(1, 'aa', { welcome = 'greet' })
    assert.effects('bind call', e)
    assert.equal('greet', e.call.script)
    assert.equal(UID, e.call.uid)
    assert.same({ sid = sid(1), class = 'main', epoch = string.format('%.0f', e.bind.epoch) }, e.call.args)
  end)

  it('is called after a takeover too, which still kicks', function()
    issue('aa')
    login(1, 'aa')
    issue('bb')
    assert.effects('bind call kick', login(2, 'bb', { welcome = 'greet' }))
  end)
end)

describe('a session', function()
  it('has one seat: a ticket of another class needs a connection of its own (G4)', function()
    issue('aa', 'phone')
    issue('bb', 'pad')
    login(1, 'aa')
    local before = state()
    refused(1102, 'other_class', login(1, 'bb'))
    assert.same(before, state())
    assert.equal(0, login(2, 'bb').reply.json.error)
    assert.equal(2, count())
  end)
end)

describe('a profile that cannot be shown', function()
  it('keeps nobody from the seat where its sex is no number', function()
    redis.call('HSET', key('user', UID), 'name', 'Ann', 'sex', 'nan')
    issue('aa')
    local reply = login(1, 'aa').reply.json
    assert.equal('Ann', reply.name)
    assert.is_nil(reply.sex)
  end)

  it('fails the login before anything is written', function()
    redis.call('SET', key('user', UID), 'not a hash')
    issue('aa')
    local before = state()
    assert.error(function() login(1, 'aa') end)
    assert.same(before, state())
  end)
end)

describe('the trail', function()
  it('stays for thirty days after the last end', function()
    issue('aa')
    login(1, 'aa')
    assert.equal(-1, redis.call('TTL', key('trail', UID)))
    logout(1)
    assert.equal(2592000, redis.call('TTL', key('trail', UID)))
  end)
end)

-- What stands in the presence of the shard, and what happened for the backends.
local function waiting()
  local members = redis.call('ZRANGE', key('presence'), 0, -1)
  table.sort(members)
  return table.concat(members, ' ')
end

-- What was told, of which each has to come from the login of that number.
local function told(...)
  local lines, by = {}, {}
  for _, entry in ipairs(redis.call('XRANGE', key('events'), '-', '+')) do
    local fields = {}
    for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
    lines[#lines + 1] = fields.event .. ' ' .. fields.uid .. ' ' .. fields.class .. ' ' .. fields.sid .. ' ' .. fields.node
    assert.matches('^17%d+$', fields.at)
    by[#by + 1] = fields.by
  end
  local expected = {}
  for i, number in ipairs({ ... }) do expected[i] = ran[number] end
  assert.same(expected, by)
  -- The ids of entries tell two stores apart, so none stay.
  redis.call('DEL', key('events'))
  return lines
end

describe('the friends of a user who logs in', { since = 2 }, function()
  before_each(function()
    redis.call('HSET', key('friends', '1001'), '1002', '{}')
    issue('aa')
  end)

  it('are nobody where the user has none', function()
    redis.call('DEL', key('friends', '1001'))
    login(1, 'aa')
    assert.equal('', waiting())
  end)

  it('have to be told', function()
    login(1, 'aa')
    assert.equal('+1001', waiting())
  end)

  it('have to be told once: the same login again changes nothing', function()
    login(1, 'aa')
    redis.call('DEL', key('presence'))
    login(1, 'aa')
    assert.equal('', waiting())
  end)

  it('are not told of a refusal', function()
    login(1, 'zz')
    assert.equal('', waiting())
  end)

  it('know it when another session takes over, which only has to learn who of them is on line', function()
    login(1, 'aa')
    redis.call('DEL', key('presence'))
    login(2, 'aa')
    assert.equal('=1001', waiting())
  end)

  it('know it when another class logs in', function()
    issue('pp', 'phone')
    login(1, 'aa')
    redis.call('DEL', key('presence'))
    login(2, 'pp')
    assert.equal('=1001', waiting())
  end)

  it('are told once of two logins', function()
    login(1, 'aa')
    login(2, 'aa')
    assert.equal('+1001', waiting())
  end)

  it('hear nothing where they were not told of the absence yet', function()
    redis.call('ZADD', key('presence'), 1, '-1001', 1, '-1002')
    login(1, 'aa')
    assert.equal('-1002 =1001', waiting())
  end)

  it('are left to whoever tells them already', function()
    redis.call('ZADD', key('presence'), 1, '~1001')
    login(1, 'aa')
    assert.equal('=1001 ~1001', waiting())
  end)

  it('are not asked in vain beside that', function()
    redis.call('ZADD', key('presence'), 1, '=1001')
    login(1, 'aa')
    assert.equal('+1001', waiting())
  end)
end)

describe('the features of a client', { since = 2 }, function()
  before_each(function()
    issue('aa')
  end)

  local function features()
    return read(key('seat', UID))['main:features'] or ''
  end

  it('stand in the seat, and are those of its holder', function()
    login(1, 'aa', { features = 'ack,batch' })
    assert.equal('ack,batch', features())
    login(2, 'aa')
    assert.equal('', features())
  end)

  it('are put right by the same login', function()
    login(1, 'aa')
    login(1, 'aa', { features = 'ack' })
    assert.equal('ack', features())
  end)
end)

describe('the events of a shard', { since = 2 }, function()
  before_each(function()
    defaults({ events_max = 100 })
    issue('aa')
    login(1, 'aa')
  end)

  it('name who took a seat, came back to it, and lost it', function()
    issue('bb')
    login(2, 'bb', { node = 'n2' })
    login(3, 'bb')
    assert.same({
      'taken 1001 main ' .. sid(1) .. ' n1',
      'displaced 1001 main ' .. sid(1) .. ' n1',
      'taken 1001 main ' .. sid(2) .. ' n2',
      'resumed 1001 main ' .. sid(3) .. ' n1',
    }, told(1, 2, 2, 3))
  end)

  it('are not repeated', function()
    login(1, 'aa')
    assert.equal(1, #told(1))
  end)

  it('are bounded', function()
    defaults({ events_max = 1 })
    for n = 2, 300 do
      login(n, 'aa')
    end
    assert.is_true(redis.call('XLEN', key('events')) < 200)
    redis.call('DEL', key('events'))
  end)

  it('are none where that is switched off', function()
    defaults({ events_max = 0 })
    login(2, 'aa')
    assert.equal(1, #told(1))
  end)
end)
