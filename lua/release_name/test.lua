-- A name becomes free again, by nobody but its holder.

local function release(peer, since)
  local e = run('release_name', { uid = 'ada', peer = peer, since = since })
  assert.effects('reply', e)
  return e.reply.json.outcome
end

local at
before_each(function()
  at = run('claim_name', { uid = 'ada', who = '1001' }).reply.json.at
end)

it('its holder releases it', function()
  assert.equal('released', release('1001', at))
  assert.is_nil(read(key('name', 'ada')))
  assert.equal('kept', release('1001', at))
end)

it('without a moment whichever claim it is goes', function()
  assert.equal('released', release('1001'))
end)

it('nobody else does', function()
  assert.equal('kept', release('1002', at))
  assert.equal('kept', release('1002'))
end)

it('a claim that was renewed meanwhile stays', function()
  run('claim_name', { uid = 'ada', who = '1001' })
  assert.equal('kept', release('1001', at))
end)
