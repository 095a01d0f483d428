-- Whose a name is.

it('a name that somebody has leads to the profile, with the name to compare', function()
  run('claim_name', { uid = 'ada', who = '1002' })
  local e = run('find_name', { uid = 'ada' })
  assert.effects({ { name = 'call', script = 'find_user', uid = '1002', args = { note = 'ada' } } }, e)
end)

it('a name that nobody has is answered as an unknown user', function()
  local e = run('find_name', { uid = 'ada' })
  assert.effects('reply', e)
  assert.equal(1008, e.reply.id)
  assert.same({ error = 1011 }, e.reply.json)
end)
