-- Tickets in every order with logins, ends, a kick and time: at each moment exactly the held and the next one open.

local UID, TTL = '1001', 1000

it('the held and the next ticket open the seat, and no other', function()
  -- What is held, what is next, until when each is good without a holder, and who sits.
  local m = { next_until = 0 }

  local function issue(token)
    return function()
      run('ticket', { uid = UID, class = 'main', token_digest = token, ttl_ms = TTL })
      if m.held == token then
        m.held_until = not m.sits and clock.now() + TTL or m.held_until
      else
        m.next, m.next_until = token, clock.now() + TTL
      end
    end
  end

  local function is_good(token)
    return token == m.next and clock.now() <= m.next_until
      or token == m.held and token ~= m.next and (m.sits or clock.now() <= m.held_until)
  end

  local function login(n, token)
    return run('login', { uid = UID, sid = sid(n), token_digest = token, address = 'a:' .. n })
  end

  local function log_in(n, token)
    return function()
      if not login(n, token).bind then
        return false
      end
      if m.next == token then
        m.next = nil
      end
      m.held, m.held_until, m.sits = token, nil, n
    end
  end

  local function leave()
    if not m.sits then
      return false
    end
    run('logout', { uid = UID, sid = sid(m.sits), class = 'main' })
    m.sits, m.held_until = nil, clock.now() + TTL
  end

  local covered = explore{
    memory = m,
    steps = {
      { name = 'ticket aa', issue('aa') },
      { name = 'ticket bb', issue('bb') },
      { name = 'ticket aa once more', after = 'ticket aa', issue('aa') },
      { name = 'login of 1', log_in(1, 'aa') },
      { name = 'login of 2', log_in(2, 'bb') },
      { name = 'whoever sits leaves', leave },
      { name = 'time passes', function() clock.advance(TTL) end },
      { name = 'kick', function()
        run('kick', { uid = UID, class = 'main', note = '' })
        m.held, m.next, m.sits = nil, nil, nil
      end },
    },
    check = function()
      for _, token in ipairs({ 'aa', 'bb', 'cc' }) do
        local before = store.copy()
        local answer = login(9, token)
        assert.equal(is_good(token) and true or false, answer.bind ~= nil, token)
        if answer.bind then
          assert.equal(token ~= m.next, answer.reply.json.resumed, token .. ' resumes')
        else
          assert.equal(before, store.digest(), 'a refusal writes nothing')
        end
        store.fall_back(before)
      end
    end,
  }
  assert(covered.states >= 500, 'only ' .. covered.states .. ' states: do the steps still happen?')
end)
