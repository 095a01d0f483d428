-- Two processes that want one name, in every order of their registrations, beats and ends: never two at once.

local LEASE = 1000

it('one process at a time has the name', function()
  -- By process: the incarnation that it was given, and until when it may believe in it.
  local m = { first = { until_ms = 0 }, second = { until_ms = 0 } }

  local function note(process, answer)
    local mine = m[process]
    if answer.outcome == 'registered' then
      assert(not mine.incarnation or answer.incarnation > mine.incarnation, 'an incarnation comes twice')
      mine.incarnation, mine.until_ms = answer.incarnation, answer.deadline
    elseif answer.outcome == 'ok' then
      mine.until_ms = answer.deadline
    elseif answer.outcome == 'superseded' then
      mine.until_ms = 0
    end
  end

  local function register(process, takeover)
    return function()
      local answer = run('register', { owner = process, address = process, capacity = 10, lease_ms = LEASE, store = 's',
        takeover = takeover or '' }).reply.json
      if takeover == '1' then
        -- Whoever had it is put out on purpose.
        m[process == 'first' and 'second' or 'first'].until_ms = 0
      end
      note(process, answer)
    end
  end

  local function beat(process)
    return function()
      local mine = m[process]
      if not mine.incarnation then
        return false
      end
      note(process, run('beat', { owner = process, incarnation = mine.incarnation, count = 0, lease_ms = LEASE }).reply.json)
    end
  end

  local covered = explore{
    memory = m, crash = true,
    steps = {
      { name = 'first registers', register('first') },
      { name = 'first beats', beat('first') },
      { name = 'first registers anew', after = 'first registers', register('first') },
      { name = 'first leaves', function()
        if not m.first.incarnation then
          return false
        end
        run('leave', { incarnation = m.first.incarnation })
        m.first = { until_ms = 0 }
      end },
      { name = 'second registers', register('second') },
      { name = 'second takes over', register('second', '1') },
      { name = 'time passes', function() clock.advance(LEASE) end },
    },
    check = function()
      local now = clock.now()
      assert(m.first.until_ms <= now or m.second.until_ms <= now, 'two processes have the name')
    end,
  }
  assert(covered.states >= 300, 'only ' .. covered.states .. ' states: do the steps still happen?')
end)
