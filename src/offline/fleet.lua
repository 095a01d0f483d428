-- The word `fleet` of the test language: nodes and sessions as the callers of the scripts know them.
--
-- It follows effects as the server does: a bind makes a session live, a kick of the asking script or of a node's
-- channel ends the session that it names. What it knows stands in `memory`, so that an exploration can undo it. After
-- every call it holds what the scripts did to the seat against the guarantees.
local native = ...
local fail, keep_directory = native.fail, native.keep_directory

local FIELDS = { 'sid', 'end', 'number', 'epoch', 'node', 'incarnation' }

local function merge(first, second)
  local merged = {}
  for name, value in pairs(first) do merged[name] = value end
  for name, value in pairs(second or {}) do merged[name] = value end
  return merged
end

local function sorted(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

rawset(_G, 'fleet', function(given)
  local uid, class = given and given.uid or '1001', given and given.class or 'main'
  local fleet, name = { memory = given and given.memory or {} }, uid .. ' ' .. class
  fleet.memory[name] = { nodes = {}, sessions = {}, reaping = {}, lease_ms = given and given.lease_ms }

  -- An exploration makes the tables inside the memory anew, so it is always asked for them.
  local function known()
    return fleet.memory[name]
  end

  -- 1. What is known.

  -- Where nodes have leases, none lives before it has started.
  local function node_of(name)
    local node = known().nodes[name] or { incarnation = 1700000000000, inbox = {}, is_dead = known().lease_ms ~= nil }
    known().nodes[name] = node
    return node
  end

  -- What a node says of itself whenever it wants to seat somebody. It never asks for longer than its lease is good.
  local function claim_of(name)
    local node = node_of(name)
    return { node = name, incarnation = node.incarnation, not_after = node.deadline }
  end

  local function session_of(wanted)
    for n, session in pairs(known().sessions) do
      if sid(n) == wanted then
        return session, n
      end
    end
  end

  local function seat_of()
    local fields, names = {}, {}
    for i, name in ipairs(FIELDS) do names[i] = class .. ':' .. name end
    local values = redis.call('HMGET', key('seat', uid), unpack(names))
    for i, name in ipairs(FIELDS) do fields[name] = values[i] or nil end
    fields.holder = not fields['end'] and fields.sid or nil
    return fields
  end

  -- The sid that holds the seat, or nil.
  function fleet.holder()
    return seat_of().holder
  end

  -- A session by its number; nil before its login.
  function fleet.session(n)
    return known().sessions[n]
  end

  -- 2. What happens to sessions.

  local function kick(node, wanted, reason)
    local session = session_of(wanted)
    if session and session.node == node and session.state == 'live' then
      session.state, session.reason = 'closed', reason
    end
  end

  -- Puts what was published into the nodes' inboxes, and answers the reason of each kick by node and sid.
  local function collect()
    local reasons = {}
    for _, message in ipairs(published()) do
      local name = string.match(message.channel, '^os:node:(.+)$')
      local node = node_of(name)
      for _, effect in ipairs(message.effects) do
        if effect.name == 'kick' then
          reasons[name .. ' ' .. effect.sid] = effect.reason
          node.inbox[#node.inbox + 1] = not node.is_dead and { sid = effect.sid, reason = effect.reason } or nil
        end
      end
    end
    return reasons
  end

  local function carry_out(node, effects)
    for _, effect in ipairs(effects) do
      if effect.name == 'kick' then
        kick(node, effect.sid, effect.reason)
      end
    end
  end

  -- 3. The guarantees that hold for every call.

  -- Whoever loses a seat by somebody else's doing is named by a kick on its node's channel (G2), whatever reply
  -- is lost; and an older ticket takes it from nobody (G11).
  local function judge_taker(script, before, after, reasons)
    -- Who was reaped may live on; a login tells it at once, after a verify it learns it from its own.
    local last = before.holder or script == 'login' and before['end'] == 'reaped' and before.sid
    if not last or last == after.holder then
      return
    end
    local reason = reasons[before.node .. ' ' .. last]
    if not reason then
      fail('G2: ' .. script .. ' takes the seat from ' .. last .. ' without a kick')
    end
    if tonumber(after.number) < tonumber(before.number) then
      fail('G11: ' .. script .. ' takes the seat with an older ticket')
    end
    if tonumber(after.epoch) <= tonumber(before.epoch) then
      fail('the epoch does not grow with the holder')
    end
    local expected = script == 'login' and after.number == before.number and 'resumed' or 'displaced'
    if reason ~= expected then
      fail('G2: the reason should be ' .. expected .. ', not ' .. reason)
    end
    local session = session_of(last)
    if session then
      session.is_over = true
    end
  end

  -- Only the holder's own end, or an operator, empties a seat; a reap only that of the incarnation which died (G3).
  local function judge_end(script, before, who, arguments)
    if script ~= 'kick' and before.holder ~= who then
      fail('G3: ' .. script .. ' of ' .. tostring(who) .. ' ends ' .. before.holder)
    end
    if arguments.reason == 'reaped' and tostring(arguments.incarnation) ~= before.incarnation then
      fail('G3: a reap of incarnation ' .. arguments.incarnation .. ' ends a session of ' .. before.incarnation)
    end
    local session = session_of(before.holder)
    if session and seat_of()['end'] ~= 'reaped' then
      session.is_over = true
    end
  end

  local function is_in_ring(wanted)
    for field, value in pairs(read(key('seat', uid)) or {}) do
      if value == wanted and string.find(field, ':ended%d$') then
        return true
      end
    end
    return false
  end

  -- A live session is closed by a verify only where it has ended, or where a rank stands that is at least its own (G7).
  local function judge_close(n, session, before)
    local number, epoch = tonumber(before.number) or 0, tonumber(before.epoch) or 0
    local is_lower = number < session.number or number == session.number and epoch < session.epoch
    local was_reaped = before['end'] == 'reaped' and before.sid == sid(n) and epoch == session.epoch
    if was_reaped or is_lower and not session.is_over and not is_in_ring(sid(n)) then
      fail('G7: verify closes session ' .. n .. ', which has the higher rank')
    end
  end

  -- Runs a script for the session `who`.
  local function call(script, arguments, who)
    local before = seat_of()
    local effects = run(script, merge({ uid = uid }, arguments))
    local after, reasons = seat_of(), collect()
    if after.holder and after.holder ~= before.holder then
      if after.holder ~= who then
        fail('G3: ' .. script .. ' of ' .. tostring(who) .. ' seats ' .. after.holder)
      end
      judge_taker(script, before, after, reasons)
    elseif before.holder and not after.holder then
      judge_end(script, before, who, arguments)
    end
    return effects
  end

  -- 4. What callers do. A function answers false where that cannot happen.

  function fleet.issue(token, more)
    return run('ticket', merge({ uid = uid, class = class, token_digest = token }, more)).reply.json.number
  end

  local function ask_login(n, session, more)
    local arguments = { sid = sid(n), token_digest = session.token, address = 'a:' .. n }
    return call('login', merge(merge(arguments, session.claim or claim_of(session.node)), more), sid(n))
  end

  function fleet.login(n, node, token, more)
    if known().sessions[n] or node_of(node).is_dead then
      return false
    end
    local session = { node = node, token = token, state = 'asking', is_over = false }
    known().sessions[n] = session
    local effects = ask_login(n, session, more)
    if effects.bind then
      session.state, session.answer = 'live', effects.reply.body
      session.number, session.epoch = effects.bind.number, effects.bind.epoch
    else
      session.state, session.reason = 'refused', effects.reply.json.reason
    end
    carry_out(node, effects)
    return effects
  end

  -- A login whose outcome nobody learns: the session is over, and a logout of it will follow.
  function fleet.login_unheard(n, node, token, more)
    if known().sessions[n] or node_of(node).is_dead then
      return false
    end
    known().sessions[n] = { node = node, token = token, state = 'unheard', is_over = false }
    ask_login(n, known().sessions[n], more)
  end

  -- A login is sent, and arrives much later, if at all; meanwhile its session counts for nothing.
  function fleet.send_login(n, node, token)
    if known().sessions[n] or node_of(node).is_dead then
      return false
    end
    known().sessions[n] = { node = node, token = token, state = 'unheard', is_over = false, claim = claim_of(node) }
  end

  -- A login that was given up arrives once more, from somewhere on its way.
  function fleet.login_again(n)
    return ask_login(n, known().sessions[n])
  end

  -- The client leaves or falls silent: the node knows at once, Redis later.
  function fleet.close(n)
    local session = known().sessions[n]
    if not session or session.state ~= 'live' then
      return false
    end
    session.state, session.reason = 'closing', nil
  end

  local function finish(n, script, more)
    local session = known().sessions[n]
    if not session or session.state ~= 'closing' and session.state ~= 'unheard' then
      return false
    end
    local named = session.state == 'closing' and class or ''
    session.state = 'closed'
    local effects = call(script, merge({ sid = sid(n), class = named, node = session.node,
      incarnation = node_of(session.node).incarnation }, more), sid(n))
    session.is_over = true
    return effects
  end

  function fleet.logout(n)
    return finish(n, 'logout')
  end

  function fleet.expire(n)
    return finish(n, 'expire', { reason = 'expired' })
  end

  function fleet.verify(n, more)
    local session = known().sessions[n]
    if not session or session.state ~= 'live' then
      return false
    end
    local before = seat_of()
    local arguments = merge(claim_of(session.node), { sid = sid(n), class = class, token_digest = session.token,
      number = session.number, epoch = session.epoch, address = 'a:' .. n })
    local effects = call('verify', merge(arguments, more), sid(n))
    if effects.reply.json.outcome == 'closed' then
      judge_close(n, session, before)
    end
    local bind = effects.bind
    if bind and (bind.number > session.number or bind.number == session.number and bind.epoch > session.epoch) then
      session.number, session.epoch, session.answer = bind.number, bind.epoch, nil
    end
    carry_out(session.node, effects)
    return effects
  end

  -- An operator takes the user off line, through a node.
  function fleet.kick(node)
    carry_out(node, call('kick', { class = class, note = '' }))
  end

  -- 5. What happens to nodes and to the store.

  -- What was published for a node arrives.
  function fleet.deliver(name)
    local node = node_of(name)
    if #node.inbox == 0 then
      return false
    end
    for _, message in ipairs(node.inbox) do
      kick(name, message.sid, message.reason)
    end
    node.inbox = {}
  end

  -- The link of a node was dead: what was published for it never arrives.
  function fleet.miss(name)
    local node = node_of(name)
    if #node.inbox == 0 then
      return false
    end
    node.inbox = {}
  end

  local function renew(name)
    local node = node_of(name)
    node.incarnation = math.max(node.incarnation + 1, clock.now())
    return node
  end

  -- A node was taken for dead and registers anew, with the sessions that it has.
  fleet.register = renew

  -- A node dies, with its sessions.
  function fleet.die(name)
    local node = node_of(name)
    node.is_dead, node.inbox = true, {}
    for _, session in pairs(known().sessions) do
      if session.node == name and session.state ~= 'closed' and session.state ~= 'refused' then
        session.state = 'gone'
      end
    end
  end

  -- A node dies, and starts again without them.
  function fleet.restart(name)
    fleet.die(name)
    renew(name).is_dead = false
  end

  -- Reads what the older incarnations of a node left; the calls arrive later.
  function fleet.list_dead(name)
    local node, cursor = node_of(name), ''
    repeat
      local effects = run('reap', { node = name, incarnation = node.is_dead and clock.now() + 1 or node.incarnation, cursor = cursor })
      for _, effect in ipairs(effects) do
        if effect.name == 'call' then
          known().reaping[#known().reaping + 1] = effect.args
        end
      end
      cursor = effects.reply.json.cursor
    until cursor == ''
  end

  -- The next call of a reap arrives.
  function fleet.reap_next()
    local arguments = table.remove(known().reaping, 1)
    if not arguments then
      return false
    end
    call('expire', arguments, arguments.sid)
  end

  function fleet.reap(name)
    fleet.list_dead(name)
    repeat until fleet.reap_next() == false
  end

  -- Everything that is dead is reaped.
  function fleet.reap_all()
    for _, name in ipairs(sorted(known().nodes)) do
      fleet.reap(name)
    end
  end

  -- Who ended is known as long as the store remembers the seat.
  function fleet.forgive()
    for _, session in pairs(known().sessions) do
      session.is_over = session.is_over and redis.call('EXISTS', key('seat', uid)) == 1
      session.answer = nil
    end
  end

  function fleet.forget()
    redis.call('FLUSHDB')
    fleet.forgive()
  end

  function fleet.fall_back(copy)
    store.fall_back(copy)
    for _, session in pairs(known().sessions) do
      session.is_over, session.answer = false, nil
    end
  end

  -- 6. The guarantees that hold in every state.

  -- The roster is the list of those who hold a seat, one entry each (G1, G4).
  local function check_roster()
    local seat = seat_of()
    local expected = seat.holder and { seat.node .. '#' .. seat.incarnation .. '|' .. uid .. '|' .. class .. '|' .. seat.holder } or {}
    local entries = {}
    for _, entry in ipairs(redis.call('ZRANGE', key('roster'), 0, -1)) do
      entries[#entries + 1] = string.find(entry, '|' .. uid .. '|' .. class .. '|', 1, true) and entry or nil
    end
    assert.same(expected, entries, 'G1, G4: the roster')
  end

  -- A login that is made again answers the same and changes nothing (G12).
  local function check_again(n, session)
    local before = store.digest()
    local effects = run('login', { uid = uid, sid = sid(n), node = session.node, token_digest = session.token,
      incarnation = node_of(session.node).incarnation, address = 'a:' .. n })
    assert.equal(session.answer, effects.reply.body, 'G12: the answer')
    assert.equal(before, store.digest(), 'G12: what is stored')
  end

  -- A session that ended gets the seat neither by a login nor by a verify, however late it comes.
  local function check_ended(n, session)
    local arguments = { uid = uid, sid = sid(n), node = session.node, token_digest = session.token, address = 'a:' .. n }
    run('login', arguments)
    assert.not_equal(sid(n), fleet.holder(), 'a login of a session that ended')
    if session.number then
      run('verify', merge(arguments, { class = class, number = session.number, epoch = session.epoch }))
      assert.not_equal(sid(n), fleet.holder(), 'a verify of a session that ended')
    end
  end

  function fleet.check()
    check_roster()
    local holder = fleet.holder()
    for n, session in pairs(known().sessions) do
      if session.is_over then
        assert.not_equal(sid(n), holder, 'the holder has ended')
        check_ended(n, session)
      elseif sid(n) == holder and session.state == 'live' and session.answer then
        check_again(n, session)
      end
    end
  end

  local function remove_strays(name, node)
    local page = run('sessions', { node = name, incarnation = node.incarnation }).reply.json
    for _, entry in ipairs(page.entries) do
      local session = session_of(entry.sid)
      local is_its = entry.uid == uid and entry.class == class
      if is_its and (not session or session.state ~= 'live') then
        call('logout', { sid = entry.sid, class = entry.class, node = name, incarnation = entry.incarnation }, entry.sid)
      end
    end
  end

  -- A session that was verified knows its rank, with which its later calls are held against the seat.
  local function check_rank()
    local seat = seat_of()
    local session = session_of(seat.holder)
    if session then
      assert.equal(seat.number .. ' ' .. seat.epoch, string.format('%.0f %.0f', session.number, session.epoch), 'the rank')
    end
  end

  -- Lets happen all that happens by itself: messages arrive, the dead are reaped, every node verifies in both
  -- directions. Then the seat belongs to the one session that lives, and to nobody if there is none (G5, G7).
  function fleet.settle()
    for _, name in ipairs(sorted(known().nodes)) do
      fleet.deliver(name)
    end
    fleet.reap_all()
    for _, n in ipairs(sorted(known().sessions)) do
      fleet.verify(n)
    end
    local live = {}
    for _, name in ipairs(sorted(known().nodes)) do
      fleet.deliver(name)
      remove_strays(name, known().nodes[name])
    end
    for _, n in ipairs(sorted(known().sessions)) do
      if known().sessions[n].state == 'live' then
        live[#live + 1] = sid(n)
      end
    end
    assert.same({ fleet.holder() }, live, 'G7: those who live once all is settled')
    check_rank()
    check_roster()
  end

  -- Explores a plan of `steps` with all checks. Fewer states than expected mean that steps cannot happen any more.
  function fleet.explore(plan, states_min)
    plan.memory, plan.check, plan.finally = fleet.memory, fleet.check, fleet.settle
    local covered = explore(plan)
    assert(covered.states >= states_min, 'only ' .. covered.states .. ' states: do the steps still happen?')
  end

  if known().lease_ms then
    keep_directory(fleet, { known = known, node_of = node_of, call = call, merge = merge, sorted = sorted })
  end
  return fleet
end)
