-- An operator takes a user off line: every holder is told, and no ticket opens the seat any more.

local UID = '1001'

local function login(n, token, more)
  local arguments = { uid = UID, sid = sid(n), token_digest = token, address = 'a:' .. n }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('login', arguments)
end

local function issue(token, class)
  run('ticket', { uid = UID, class = class or 'main', token_digest = token })
end

local function kick(more)
  local arguments = { uid = UID }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  return run('kick', arguments)
end

describe('a kick', function()
  before_each(function()
    issue('aa')
    login(1, 'aa', { node = 'n2' })
    issue('bb')
    published()
  end)

  it('empties the seat and tells the session, through its node and here (G2)', function()
    local epoch = run('lookup', { uid = UID }).reply.json.seats[1].epoch
    local e = kick({ note = 'account "reported"' })
    assert.effects('kick reply', e)
    assert.equal(sid(1), e.kick.sid)
    assert.equal('kicked', e.kick.reason)
    assert.equal(1021, e.kick.id)
    assert.same({
      error = 0, uid = 1001, reason = 'kicked', at = e.kick.json.at, epoch = epoch, note = 'account "reported"',
      script = 'kick@' .. given_version(),
    }, e.kick.json)
    local messages = published()
    assert.equal(1, #messages)
    assert.equal('os:node:n2', messages[1].channel)
    assert.same({ e.kick }, messages[1].effects)
    assert.same({ kicked = { { class = 'main', sid = sid(1), node = 'n2' } } }, e.reply.json)
    assert.same({}, run('lookup', { uid = UID }).reply.json.seats)
    assert.equal(0, run('count', { node = 'n2' }).reply.json.count)
  end)

  it('voids the held and the next ticket (rule 1)', function()
    kick()
    local held = login(2, 'aa')
    assert.equal(1010, held.reply.json.error)
    assert.equal('kicked', held.reply.json.reason)
    assert.equal(1010, login(2, 'bb').reply.json.error)
    assert.is_nil(login(2, 'bb').reply.json.reason)
  end)

  it('closes the kicked session that logs in again', function()
    kick()
    local e = login(1, 'aa')
    assert.effects('reply close', e)
    assert.equal('kicked', e.close.reason)
  end)

  it('does not forbid a newer ticket', function()
    kick()
    issue('cc')
    local e = login(2, 'cc')
    assert.effects('bind reply', e)
  end)

  it('stands in the trail with the note of the operator', function()
    kick({ note = 'why|not' })
    local entry = run('lookup', { uid = UID }).reply.json.trail[1]
    assert.equal('kicked', entry.event)
    assert.equal('why|not', entry.note)
    assert.equal(sid(1), entry.sid)
  end)

  it('is not undone by verify', function()
    local seat = run('lookup', { uid = UID }).reply.json.seats[1]
    kick()
    local e = run('verify', { uid = UID, sid = sid(1), class = 'main', token_digest = 'aa', number = 1, epoch = seat.epoch,
      address = 'a:1', node = 'n2' })
    assert.equal('closed', e.reply.json.outcome)
    assert.equal('kicked', e.kick.reason)
    assert.equal(0, run('count', { node = 'n2' }).reply.json.count)
  end)

  it('reaches a session that was reaped but lives on', function()
    local bind = login(1, 'aa', { node = 'n2' }).bind
    run('expire', { uid = UID, sid = sid(1), class = 'main', reason = 'reaped', node = 'n2' })
    published()
    local e = kick()
    assert.effects('kick reply', e)
    assert.equal('os:node:n2', published()[1].channel)
    local verified = run('verify', { uid = UID, sid = sid(1), class = 'main', token_digest = 'aa', number = bind.number,
      epoch = bind.epoch, address = 'a:1', node = 'n2' })
    assert.equal('closed', verified.reply.json.outcome)
  end)

  it('repeated finds nobody and changes nothing (G12)', function()
    kick()
    local before = state()
    published()
    local e = kick()
    assert.effects('reply', e)
    assert.same({}, e.reply.json.kicked)
    assert.same({}, published())
    assert.same(before, state())
  end)

  it('lets what is left expire', function()
    kick()
    for _, name in ipairs({ 'seat', 'ticket' }) do
      local left = redis.call('PTTL', key(name, UID))
      assert.is_true(left > 0 and left <= 3600000, name)
    end
  end)
end)

describe('a kick of a user with several classes', function()
  before_each(function()
    issue('aa')
    login(1, 'aa')
    issue('pp', 'phone')
    login(2, 'pp', { node = 'n2' })
    published()
  end)

  it('ends all of them', function()
    local e = kick()
    assert.effects('kick kick reply', e)
    assert.equal(2, #e.reply.json.kicked)
    assert.equal(2, #published())
    assert.equal('kicked', login(3, 'aa').reply.json.reason)
    assert.equal('kicked', login(3, 'pp').reply.json.reason)
  end)

  it('ends one if it names it, and leaves the tickets of the others', function()
    local e = kick({ class = 'phone' })
    assert.effects('kick reply', e)
    assert.equal(sid(2), e.kick.sid)
    assert.equal(1, run('count', { node = 'n1' }).reply.json.count)
    assert.is_true(login(3, 'aa').reply.json.resumed)
    assert.equal(-1, redis.call('PTTL', key('seat', UID)))
  end)
end)

describe('a kick of nobody', function()
  it('voids an unused ticket all the same', function()
    issue('aa')
    assert.effects('reply', kick())
    assert.equal(1011, login(1, 'aa').reply.json.error)
  end)

  it('leaves an unknown user unknown', function()
    assert.effects('reply', kick())
    assert.same({}, state())
  end)
end)

describe('the friends of a user who is kicked', { since = 2 }, function()
  before_each(function()
    redis.call('HSET', key('friends', '1001'), '1002', '{}')
    issue('aa')
    login(1, 'aa')
    issue('pp', 'phone')
    login(2, 'pp')
    redis.call('DEL', key('presence'))
  end)

  local function waiting()
    return redis.call('ZRANGE', key('presence'), 0, -1)
  end

  it('are nobody where the user has none', function()
    redis.call('DEL', key('friends', '1001'))
    kick()
    assert.same({}, waiting())
  end)

  it('are told once no class is held any more', function()
    kick({ class = 'main' })
    assert.same({}, waiting())
    kick({ class = 'phone', grace_ms = 5000 })
    assert.same({ '-1001' }, waiting())
  end)

  it('are told of all classes once', function()
    kick()
    assert.same({ '-1001' }, waiting())
  end)

  it('are not told again by a kick of nobody', function()
    kick()
    redis.call('DEL', key('presence'))
    kick()
    assert.same({}, waiting())
  end)
end)

describe('the events of a kick', { since = 2 }, function()
  it('are one for each session', function()
    issue('aa')
    login(1, 'aa')
    issue('pp', 'phone')
    login(2, 'pp', { node = 'n2' })
    kick({ events_max = 100 })
    local found = {}
    for _, entry in ipairs(redis.call('XRANGE', key('events'), '-', '+')) do
      found[#found + 1] = table.concat({ entry[2][2], entry[2][6], entry[2][8], entry[2][10], entry[2][14] }, ' ')
    end
    -- The ids of entries tell two stores apart, so none stay.
    redis.call('DEL', key('events'))
    assert.same({
      'kicked main ' .. sid(1) .. ' n1 kick@' .. given_version(),
      'kicked phone ' .. sid(2) .. ' n2 kick@' .. given_version(),
    }, found)
  end)
end)
