-- A name is one user's.

local function claim(who, more)
  local arguments = { uid = 'ada', who = who }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  local e = run('claim_name', arguments)
  assert.effects('reply', e)
  return e.reply.json
end

it('a name that is free is claimed', function()
  local claimed = claim('1001')
  assert.equal('claimed', claimed.outcome)
  assert.is_true(claimed.is_new)
  assert.equal('1001|' .. string.format('%.0f', claimed.at), read(key('name', 'ada')))
end)

it("another's name is taken, and told whose it is", function()
  local at = claim('1001').at
  local before = state()
  assert.same({ outcome = 'taken', uid = '1001', at = at }, claim('1002'))
  assert.same(before, state())
end)

it('claimed again by its holder it counts from then on, later in any case', function()
  local first = claim('1001').at
  local second = claim('1001')
  assert.equal('claimed', second.outcome)
  assert.is_false(second.is_new)
  assert.is_true(second.at > first)
end)

it('a claim that was left is taken over after a minute, by whoever names it exactly', function()
  local at = claim('1001').at
  local left = { peer = '1001', since = at }
  clock.advance(59999)
  assert.equal('taken', claim('1002', left).outcome)
  clock.advance(1)
  assert.equal('taken', claim('1002', { peer = '1001', since = at - 1 }).outcome)
  assert.equal('taken', claim('1002', { peer = '1003', since = at }).outcome)
  assert.equal('taken', claim('1002').outcome)
  local taken_over = claim('1002', left)
  assert.equal('claimed', taken_over.outcome)
  assert.equal('claimed', claim('1002', left).outcome, 'repeated, as after a lost answer')
  assert.equal('taken', claim('1003', left).outcome)
  assert.equal('taken', claim('1001').outcome)
end)
