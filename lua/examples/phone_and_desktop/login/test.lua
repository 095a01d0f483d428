-- One phone and one desktop per user.

local UID = '1001'

-- Tickets are numbered by the millisecond; each of these is a newer one.
local function login(n, class)
  clock.tick()
  run('ticket', { uid = UID, class = class, token_digest = 'digest' .. n })
  return run('login', { uid = UID, sid = sid(n), token_digest = 'digest' .. n, address = '10.0.0.' .. n .. ':5000' })
end

local function held()
  local classes = {}
  for i, seat in ipairs(run('lookup', { uid = UID }).reply.json.seats) do
    classes[i] = seat.class .. ' ' .. seat.sid
  end
  return classes
end

describe('one phone and one desktop', { since = 3 }, function()
  it('are held side by side', function()
    assert.effects('bind reply', login(1, 'phone'))
    assert.effects('bind reply', login(2, 'desktop'))
    assert.same({ 'desktop ' .. sid(2), 'phone ' .. sid(1) }, held())
  end)

  it('and the second phone displaces the first, but not the desktop', function()
    login(1, 'phone')
    login(2, 'desktop')
    local e = login(3, 'phone')
    assert.equal(sid(1), e.kick.sid)
    assert.equal('displaced', e.kick.reason)
    assert.same({ 'desktop ' .. sid(2), 'phone ' .. sid(3) }, held())
  end)

  it('and no other device: it is told so, and disturbs nobody', function()
    login(1, 'phone')
    local before = read(key('seat', UID))
    local e = login(2, 'tablet')
    assert.effects('reply', e)
    assert.same({ error = 1102, reason = 'class' }, e.reply.json)
    assert.same(before, read(key('seat', UID)))
  end)
end)

-- The built-in test under this name has a pad in it. What a new version does otherwise on purpose is restated like this.
describe('a session', { since = 3 }, function()
  it('has one seat: a ticket of another class needs a connection of its own (G4)', function()
    run('ticket', { uid = UID, class = 'phone', token_digest = 'aa' })
    run('ticket', { uid = UID, class = 'desktop', token_digest = 'bb' })
    run('login', { uid = UID, sid = sid(1), token_digest = 'aa', address = '10.0.0.1:5000' })
    local e = run('login', { uid = UID, sid = sid(1), token_digest = 'bb', address = '10.0.0.1:5000' })
    assert.same({ error = 1102, reason = 'other_class' }, e.reply.json)
    assert.same({ 'phone ' .. sid(1) }, held())
  end)
end)
