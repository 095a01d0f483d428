-- The message of a node to itself.

it('a ping arrives on the node\'s channel, with its incarnation', function()
  local e = run('ping', { node = 'n7', incarnation = 1700000000123 })
  assert.effects('reply', e)
  assert.same({}, e.reply.json)
  local messages = published()
  assert.equal(1, #messages)
  assert.equal('os:node:n7', messages[1].channel)
  assert.equal('{"ping":1700000000123}', messages[1].payload)
  assert.same({}, state())
end)
