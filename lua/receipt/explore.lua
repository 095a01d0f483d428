-- Texts, receipts, takeovers and losses in every order: what was accepted is acknowledged by a session or stands in the
-- inbox (G10), no session is shown a text twice, and each shows them in order; in the end everything was shown.

local ME, PEER = '1002', '1001'
local memory

-- 1. The sessions as their nodes keep them. `position` is how far one was given its messages; frames that come before
-- the answer to its login wait for that. What was written is acknowledged in a step of its own.

local function collect()
  for _, message in ipairs(published()) do
    local box = memory.boxes[string.match(message.channel, '^os:node:(.+)$')]
    for _, effect in ipairs(message.effects) do
      local msgids = {}
      for i, text in ipairs(effect.json.text_array) do
        msgids[i] = text.msgid
      end
      box[#box + 1] = { sid = effect.sid, position = effect.position, after = effect.after, msgids = msgids }
    end
  end
end

local function show(session, msgid, id)
  for _, shown in ipairs(session.shown) do
    assert(shown.msgid ~= msgid, 'a session is shown ' .. msgid .. ' twice')
    assert(shown.id <= id, 'a session is shown ' .. msgid .. ' after a later one')
  end
  session.shown[#session.shown + 1] = { msgid = msgid, id = id }
end

local function take(session, frame)
  if frame.after > session.position then
    session.is_behind = true
  elseif frame.position > session.position then
    session.position, session.written = frame.position, frame.position
    for _, msgid in ipairs(frame.msgids) do
      show(session, msgid, frame.position)
    end
  end
end

local function text(msgid)
  local body = '{"text_array":[{"content":"' .. memory.content .. '","msgid":"' .. msgid .. '"}]}'
  local e = run('receive', { uid = ME, peer = PEER, body = body })
  assert.equal(0, e.reply.json.error)
  memory.accepted[msgid] = true
  collect()
end

local function login(n, node, class)
  redis.call('HSET', key('seat', ME), class .. ':sid', sid(n), class .. ':node', node)
  memory.sessions[n] = { class = class, node = node, state = 'login', parked = {}, shown = {}, position = 0 }
end

local function welcome(n)
  local session = memory.sessions[n]
  if not session or session.state ~= 'login' then
    return false
  end
  local e = run('welcome', { uid = ME, sid = sid(n), class = session.class, epoch = 1, body_max = memory.body_max })
  if not e.reply.position then
    -- It was displaced since: its kick is on the way.
    session.state = 'over'
    return
  end
  for _, item in ipairs(e.reply.json.unread_messages or {}) do
    show(session, item.msgid, item.id)
  end
  session.state, session.position = 'live', e.reply.position
  session.written = session.position > 0 and session.position or nil
  for _, frame in ipairs(session.parked) do
    take(session, frame)
  end
  session.parked = {}
end

local function deliver(node)
  local box = memory.boxes[node]
  if not box or #box == 0 then
    return false
  end
  memory.boxes[node] = {}
  for _, frame in ipairs(box) do
    for n, session in pairs(memory.sessions) do
      if sid(n) == frame.sid and session.state == 'login' then
        session.parked[#session.parked + 1] = frame
      elseif sid(n) == frame.sid and session.state == 'live' then
        take(session, frame)
      end
    end
  end
end

local function lose(node)
  if #memory.boxes[node] == 0 then
    return false
  end
  memory.boxes[node] = {}
end

-- Acknowledges what was written, or only what came first of it, as a client may that does so by itself.
local function receipt(n, is_partial)
  local session = memory.sessions[n]
  local id = session and session.written
  if not id then
    return false
  end
  if is_partial and session.shown[1] then
    id = session.shown[1].id
  else
    session.written = nil
  end
  local newly = {}
  for _, shown in ipairs(session.shown) do
    if shown.id <= id and not memory.acked[shown.msgid] then
      newly[#newly + 1], memory.acked[shown.msgid] = shown.msgid, true
    end
  end
  local e = run('receipt', { uid = ME, sid = sid(n), class = session.class, body = string.format('{"id":%.0f}', id) })
  if e.verify then
    session.state, session.written = 'over', nil
    for _, msgid in ipairs(newly) do
      memory.acked[msgid] = nil
    end
  end
  collect()
end

local function forget_receipt(n)
  local session = memory.sessions[n]
  if not session or not session.written then
    return false
  end
  -- Unless more comes, the next session is shown it once more.
  session.written, memory.is_unheard = nil, true
end

-- What a verify does for a session that misses something: its node gets the first entries once more.
local function resend(n)
  local session = memory.sessions[n]
  local at = session and session.class .. ':'
  if not session or session.state ~= 'live' or redis.call('HGET', key('seat', ME), at .. 'sid') ~= sid(n) then
    return false
  end
  local after, box = 0, memory.boxes[session.node]
  for _, entry in ipairs(redis.call('LRANGE', key('inbox', ME), 0, 31)) do
    local id, msgid = string.match(entry, '^(%d+)|.*"msgid":"(.-)"')
    box[#box + 1] = { sid = sid(n), position = tonumber(id), after = after, msgids = { msgid } }
    after = tonumber(id)
  end
  local sent = math.max(after, tonumber(redis.call('HGET', key('delivery', ME), at .. 'sent') or 0))
  redis.call('HSET', key('delivery', ME), at .. 'sid', sid(n), at .. 'sent', string.format('%.0f', sent))
  session.is_behind = nil
end

-- 2. What holds at every moment, and what in the end.

local function check()
  local bytes, last, waiting = 0, 0, {}
  for _, entry in ipairs(read(key('inbox', ME)) or {}) do
    local id, msgid = string.match(entry, '^(%d+)|.*"msgid":"(.-)"')
    assert(tonumber(id) > last, 'the inbox is in order')
    assert(not waiting[msgid], 'a text stands in the inbox once')
    bytes, last, waiting[msgid] = bytes + #entry, tonumber(id), true
  end
  for msgid in pairs(memory.accepted) do
    assert(waiting[msgid] or memory.acked[msgid], 'G10: ' .. msgid .. ' was accepted, and is gone')
  end
  local delivery = read(key('delivery', ME)) or {}
  assert.equal(bytes, tonumber(delivery.bytes or 0))
  assert(tonumber(delivery.last or 0) >= last)
end

-- A session is live until nothing is under way: then all was shown and acknowledged.
local function drain(n)
  for _ = 1, 100 do
    local session = memory.sessions[n]
    local has_moved = deliver(session.node) ~= false
    has_moved = receipt(n) ~= false or has_moved
    if not has_moved then
      break
    end
  end
end

local function settle()
  for n, session in pairs(memory.sessions) do
    if session.state == 'login' and not memory.dead[session.node] then
      welcome(n)
    end
    -- Losses are found, late by the node's own message to itself.
    if session.state == 'live' and not memory.dead[session.node] then
      drain(n)
      if resend(n) ~= false then
        drain(n)
        assert(memory.is_unheard or not read(key('inbox', ME)), 'what waits reaches a session that lives')
      end
    end
  end
  login(9, 'n3', 'main')
  welcome(9)
  drain(9)
  check()
  assert.is_nil(read(key('inbox', ME)), 'the inbox is empty in the end')
  local shown = {}
  for _, session in pairs(memory.sessions) do
    for _, text_shown in ipairs(session.shown) do
      shown[text_shown.msgid] = true
    end
  end
  for msgid in pairs(memory.accepted) do
    assert(shown[msgid], msgid .. ' was never shown')
  end
end

before_each(function()
  memory = {
    boxes = { n1 = {}, n2 = {}, n3 = {} }, sessions = {}, accepted = {}, acked = {}, dead = {},
    content = 'x', body_max = 16384,
  }
  redis.call('HSET', key('friends', ME), PEER, '{"uid":1001,"since":1}')
  redis.call('HSET', key('user', ME), 'name', 'me')
end)

local function play(steps, states_min)
  local covered = explore{
    memory = memory, check = check, finally = settle, steps = steps,
    crash = function(who) memory.dead[who] = true end,
  }
  assert(covered.states >= states_min, 'only ' .. covered.states .. ' states: do the steps still happen?')
end

-- 3. Explorations.

it('a takeover while messages are in flight loses none', function()
  login(1, 'n1', 'main')
  welcome(1)
  play({
    { name = 'text a', by = 'sender', function() text('a') end },
    { name = 'text b', by = 'sender', after = 'text a', function() text('b') end },
    { name = 'text a once more', by = 'sender', after = 'text a', function() text('a') end },
    { name = 'messages to n1', by = 'n1', function() return deliver('n1') end },
    { name = 'receipt of 1', by = 'n1', function() return receipt(1) end },
    { name = 'login of 2', by = 'n2', function() login(2, 'n2', 'main') end },
    { name = 'welcome of 2', by = 'n2', after = 'login of 2', function() return welcome(2) end },
    { name = 'messages to n2', by = 'n2', function() return deliver('n2') end },
    { name = 'receipt of 2', by = 'n2', function() return receipt(2) end },
  }, 300)
end)

it('what a dead link lost, and acknowledgements that were lost, come right', function()
  login(1, 'n1', 'main')
  welcome(1)
  play({
    { name = 'text a', function() text('a') end },
    { name = 'text b', after = 'text a', function() text('b') end },
    { name = 'text c', after = 'text b', function() text('c') end },
    { name = 'messages to n1', function() return deliver('n1') end },
    { name = 'messages to n1 are lost', function() return lose('n1') end },
    { name = 'later messages to n1', function() return deliver('n1') end },
    { name = 'receipt of 1', function() return receipt(1) end },
    { name = 'a receipt of 1 is lost', function() return forget_receipt(1) end },
    { name = 'verify of 1', function() return resend(1) end },
  }, 300)
end)

it('more than may be under way follows', function()
  login(1, 'n1', 'main')
  welcome(1)
  for n = 1, 31 do
    text('m' .. n)
  end
  deliver('n1')
  play({
    { name = 'text a', function() text('a') end },
    { name = 'text b', after = 'text a', function() text('b') end },
    { name = 'text c', after = 'text b', function() text('c') end },
    { name = 'messages to n1', function() return deliver('n1') end },
    { name = 'receipt of the first', function() return receipt(1, true) end },
    { name = 'receipt of 1', function() return receipt(1) end },
    { name = 'messages to n1 are lost', function() return lose('n1') end },
    { name = 'later messages to n1', function() return deliver('n1') end },
    { name = 'verify of 1', function() return resend(1) end },
  }, 300)
end)

it('what does not fit into a welcome follows', function()
  memory.body_max, memory.content = 2048, string.rep('x', 300)
  for n = 1, 4 do
    text('m' .. n)
  end
  play({
    { name = 'login of 1', by = 'n1', function() login(1, 'n1', 'main') end },
    { name = 'welcome of 1', by = 'n1', after = 'login of 1', function() return welcome(1) end },
    { name = 'text a', function() text('a') end },
    { name = 'messages to n1', by = 'n1', function() return deliver('n1') end },
    { name = 'receipt of 1', by = 'n1', function() return receipt(1) end },
    { name = 'later receipt of 1', by = 'n1', after = 'receipt of 1', function() return receipt(1) end },
    { name = 'login of 2', by = 'n2', after = 'login of 1', function() login(2, 'n2', 'main') end },
    { name = 'welcome of 2', by = 'n2', after = 'login of 2', function() return welcome(2) end },
    { name = 'receipt of 2', by = 'n2', function() return receipt(2) end },
  }, 150)
end)

it('what not even fits as the first into a welcome follows', function()
  memory.body_max, memory.content = 2048, string.rep('x', 1400)
  text('m1')
  play({
    { name = 'login of 1', by = 'n1', function() login(1, 'n1', 'main') end },
    { name = 'welcome of 1', by = 'n1', after = 'login of 1', function() return welcome(1) end },
    { name = 'text a', function() text('a') end },
    { name = 'messages to n1', by = 'n1', function() return deliver('n1') end },
    { name = 'receipt of 1', by = 'n1', function() return receipt(1) end },
    { name = 'later receipt of 1', by = 'n1', after = 'receipt of 1', function() return receipt(1) end },
  }, 30)
end)

it('a phone beside a desktop disturbs neither', function()
  login(1, 'n1', 'main')
  welcome(1)
  play({
    { name = 'text a', function() text('a') end },
    { name = 'text b', after = 'text a', function() text('b') end },
    { name = 'login of the phone', by = 'n2', function() login(2, 'n2', 'phone') end },
    { name = 'welcome of the phone', by = 'n2', after = 'login of the phone', function() return welcome(2) end },
    { name = 'messages to n1', by = 'n1', function() return deliver('n1') end },
    { name = 'messages to n2', by = 'n2', function() return deliver('n2') end },
    { name = 'receipt of 1', by = 'n1', function() return receipt(1) end },
    { name = 'receipt of the phone', by = 'n2', function() return receipt(2) end },
    { name = 'messages to n2 are lost', function() return lose('n2') end },
  }, 300)
end)
