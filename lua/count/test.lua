-- A node's count is the size of a range of the roster, so it cannot drift (G4).

local function login(uid, n, more)
  run('ticket', { uid = uid, class = 'main', token_digest = 'aa' })
  local arguments = { uid = uid, sid = sid(n), token_digest = 'aa', address = 'a:1' }
  for name, value in pairs(more or {}) do
    arguments[name] = value
  end
  run('login', arguments)
end

local function count(node, incarnation)
  local e = run('count', { node = node, incarnation = incarnation })
  assert.effects('reply', e)
  return e.reply.json.count
end

describe('a count', function()
  it('of an unknown node is 0', function()
    assert.equal(0, count('n1'))
  end)

  it('has every session of the node and none of another', function()
    login('1', 1)
    login('2', 2)
    login('3', 3, { node = 'n2' })
    assert.equal(2, count('n1'))
    assert.equal(1, count('n2'))
  end)

  it('is not confused by names that begin alike, or by the order of signs', function()
    for i, node in ipairs({ 'n', 'n1', 'n1-a', 'n1.a', 'n1_a', 'N1', 'n10' }) do
      login(tostring(i), i, { node = node })
    end
    for _, node in ipairs({ 'n', 'n1', 'n1-a', 'n1.a', 'n1_a', 'N1', 'n10' }) do
      assert.equal(1, count(node), node)
    end
  end)

  it('is of one incarnation', function()
    login('1', 1)
    login('2', 2, { incarnation = '1700000000001' })
    assert.equal(1, count('n1', '1700000000000'))
    assert.equal(1, count('n1', '1700000000001'))
  end)

  it('follows logins, takeovers and endings of the same user', function()
    login('1', 1)
    login('1', 2)
    assert.equal(1, count('n1'))
    run('logout', { uid = '1', sid = sid(1) })
    assert.equal(1, count('n1'))
    run('logout', { uid = '1', sid = sid(2) })
    assert.equal(0, count('n1'))
  end)

  it('takes any uid, also one with odd signs', function()
    for i, uid in ipairs({ '~', 'é', '!x', '0' }) do
      login(uid, i)
    end
    assert.equal(4, count('n1'))
  end)
end)
