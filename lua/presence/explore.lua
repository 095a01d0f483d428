-- Users who come, go and come back, while the nodes that tell their friends are slow or die and others begin again: in the
-- end every session believes what is true, and an absence shorter than the grace time was never told.

local GRACE = 5000
local ANN, BOB, CID = '1001', '1002', '1003'
local PAIRS = { { ANN, BOB }, { BOB, ANN }, { ANN, CID }, { CID, ANN } }

-- What the model knows: who is on line since, or away since, what each session was told, and the work of the nodes.
local m

-- 1. Sessions.

local function come(uid, n, features)
  local effects = run('login', { uid = uid, sid = sid(n), token_digest = uid, address = 'a:1', features = features })
  assert(effects.bind, 'the login is refused')
  m.held[uid], m.left[uid] = sid(n), nil
  published()
end

local function leave(uid)
  if not m.held[uid] then
    return false
  end
  run('logout', { uid = uid, sid = m.held[uid], grace_ms = GRACE })
  m.held[uid], m.left[uid] = nil, clock.now()
end

-- What a script has published reaches the sessions.
local function hear(effects)
  for _, message in ipairs(published()) do
    for _, frame in ipairs(message.effects) do
      assert.not_equal(m.quiet, frame.sid, 'a session is told what it knows')
      for _, about in ipairs(frame.json.friends or { frame.json }) do
        m.told[frame.sid .. ' ' .. string.format('%.0f', about.uid)] = about.status
      end
    end
  end
  return effects
end

-- 2. Who tells. One step is one script of one task, as a node runs them: a page, its calls, what gathers their answers.

local function look(node)
  for _, effect in ipairs(run('presence', {})) do
    if effect.name == 'call' then
      m.tasks[#m.tasks + 1] = {
        node = node, uid = effect.uid, reason = effect.args.reason, cursor = effect.args.cursor, calls = {}, answers = {},
      }
    end
  end
end

local function tell(call)
  return hear(follow({ name = 'call', script = 'tell', uid = call.uid, args = call.args })).reply.body
end

local function read_page(task)
  local effects = run('tell_friends', { uid = task.uid, reason = task.reason, cursor = task.cursor, page_max = 1 })
  task.answers, task.cursor, task.gather = {}, effects.reply.json.cursor, effects.reply.json.gather
  for _, effect in ipairs(effects) do
    if effect.name == 'call' then
      local is_short = not m.left[task.uid] or clock.now() < m.left[task.uid] + GRACE
      assert(effect.args.reason ~= '-' or not is_short, 'a short absence is told')
      task.calls[#task.calls + 1] = { uid = effect.uid, args = effect.args }
    end
  end
  return task.cursor ~= ''
end

local function step(task)
  if task.calls[1] then
    task.answers[#task.answers + 1] = tell(task.calls[1])
    table.remove(task.calls, 1)
  elseif task.gather then
    hear(run(task.gather, { uid = task.uid, body = '[' .. table.concat(task.answers, ',') .. ']' }))
    task.gather = nil
  else
    return read_page(task)
  end
  return true
end

-- The next step of a node, perhaps only of its work for one user.
local function go_on(node, uid)
  for i, task in ipairs(m.tasks) do
    if task.node == node and (not uid or task.uid == uid) then
      if not step(task) then
        table.remove(m.tasks, i)
      end
      return
    end
  end
  return false
end

-- A node dies; calls that it has sent may still arrive.
local function die(node)
  local others = {}
  for _, task in ipairs(m.tasks) do
    if task.node == node then
      for _, call in ipairs(task.calls) do m.late[#m.late + 1] = call end
    else
      others[#others + 1] = task
    end
  end
  m.tasks = others
end

local function arrive()
  if not m.late[1] then
    return false
  end
  tell(m.late[1])
  table.remove(m.late, 1)
end

-- 3. In the end.

local function settle()
  for _ = 1, 8 do
    look('n3')
    for _, node in ipairs({ 'n1', 'n2', 'n3' }) do
      repeat until go_on(node) == false
    end
    clock.advance(10001)
  end
  repeat until arrive() == false
  assert.is_nil(read(key('presence')), 'nothing is left to tell')
  for _, pair in ipairs(PAIRS) do
    local one, other = pair[1], pair[2]
    if m.held[one] then
      assert.equal(m.held[other] and 1 or 0, m.told[m.held[one] .. ' ' .. other] or 0, one .. ' about ' .. other)
    end
  end
end

local function play(given, crash, states_min)
  local steps = {}
  for _, one in ipairs(given) do
    for _, each in ipairs(type(one[1]) == 'table' and one or { one }) do steps[#steps + 1] = each end
  end
  local covered = explore{ memory = m, crash = crash, finally = settle, steps = steps }
  assert(covered.states >= states_min, 'only ' .. covered.states .. ' states: do the steps still happen?')
end

-- As many steps of a node as are given, one after the other.
local function turns(node, count, uid)
  local steps, name = {}, node .. ' goes on' .. (uid and ' for ' .. uid or '') .. ', '
  for turn = 1, count do
    steps[turn] = {
      name = name .. turn, by = node, after = turn > 1 and name .. (turn - 1) or nil, function() return go_on(node, uid) end,
    }
  end
  return steps
end

describe('presence', function()
  before_each(function()
    m = { held = {}, left = {}, told = {}, tasks = {}, late = {} }
    for _, pair in ipairs(PAIRS) do
      redis.call('HSET', key('friends', pair[1]), pair[2], '{"uid":' .. pair[2] .. '}')
      run('ticket', { uid = pair[1], class = 'main', token_digest = pair[1] })
    end
    come(BOB, 1)
  end)

  it('friends believe what is true, whoever dies while telling', function()
    come(CID, 2)
    settle()
    play({
      { name = 'Ann comes', function() come(ANN, 3) end },
      { name = 'Ann leaves', after = 'Ann comes', function() return leave(ANN) end },
      { name = 'the grace time passes', function() clock.advance(GRACE) end },
      { name = 'Ann comes back', after = 'Ann leaves', function() come(ANN, 4) end },
      { name = 'n1 looks', by = 'n1', function() look('n1') end },
      { name = 'a late call arrives', arrive },
      turns('n1', 6),
    }, die, 500)
  end)

  it('who begins again elsewhere is not contradicted by calls of the one before, dead or slow', function()
    come(ANN, 3)
    settle()
    leave(ANN)
    clock.advance(GRACE)
    look('n1')
    play({
      { name = 'n1 begins', by = 'n1', function() return go_on('n1') end },
      { name = 'n1 dies', by = 'n1', function() die('n1') end },
      { name = 'Ann comes back', function() come(ANN, 4) end },
      { name = 'the claim ends', function() clock.advance(10001) end },
      { name = 'n2 looks', function() look('n2') end },
      { name = 'a late call arrives', arrive },
      turns('n1', 3),
      turns('n2', 4),
    }, nil, 500)
  end)

  it('two nodes never tell of one user at a time', function()
    come(ANN, 3)
    look('n1')
    play({
      { name = 'Ann leaves', function() return leave(ANN) end },
      { name = 'the grace time passes', after = 'Ann leaves', function() clock.advance(GRACE) end },
      { name = 'Ann comes back', after = 'Ann leaves', function() come(ANN, 4) end },
      { name = 'and leaves again', after = 'Ann comes back', function() return leave(ANN) end },
      { name = 'n2 looks', function() look('n2') end },
      { name = 'n2 looks again', after = 'n2 looks', function() look('n2') end },
      turns('n1', 4, ANN),
      turns('n2', 3, ANN),
    }, nil, 500)
  end)

  it('who comes while a friend goes is not told what the friend answered before', function()
    come(ANN, 3)
    settle()
    leave(BOB)
    clock.advance(GRACE)
    settle()
    leave(ANN)
    play({
      { name = 'the grace time passes', function() clock.advance(GRACE) end },
      { name = 'Bob comes', function() come(BOB, 2, 'ack,batch') end },
      { name = 'n1 looks', function() look('n1') end },
      { name = 'n1 looks again', after = 'n1 looks', function() look('n1') end },
      turns('n1', 3, ANN),
      turns('n1', 4, BOB),
    }, nil, 200)
  end)

  it('a node that is slower than its claim leaves what it did not tell to another', function()
    settle()
    come(ANN, 3)
    look('n1')
    play({
      { name = 'the claim ends', function() clock.advance(10001) end },
      { name = 'n2 looks', function() look('n2') end },
      turns('n1', 4, ANN),
      turns('n2', 4, ANN),
    }, nil, 50)
  end)

  it('a friend who comes back while another comes is known to be on line', function()
    come(ANN, 3)
    settle()
    leave(BOB)
    clock.advance(GRACE)
    settle()
    leave(ANN)
    play({
      { name = 'the grace time passes', function() clock.advance(GRACE) end },
      { name = 'Ann comes back', function() come(ANN, 4) end },
      { name = 'Bob comes', function() come(BOB, 2) end },
      { name = 'n1 looks', function() look('n1') end },
      { name = 'n1 looks again', after = 'n1 looks', function() look('n1') end },
      turns('n1', 3, ANN),
      turns('n1', 4, BOB),
    }, nil, 300)
  end)

  it('a session that takes over learns who is on line, and nobody hears of it', function()
    come(ANN, 3)
    settle()
    m.quiet = sid(3)
    play({
      { name = 'Bob again', function() come(BOB, 2) end },
      { name = 'Bob leaves', after = 'Bob again', function() return leave(BOB) end },
      { name = 'Bob comes back', after = 'Bob leaves', function() come(BOB, 4) end },
      { name = 'a moment passes', function() clock.advance(GRACE - 1) end },
      { name = 'n1 looks', by = 'n1', function() look('n1') end },
      turns('n1', 4),
      { name = 'n2 looks', by = 'n2', function() look('n2') end },
    }, die, 100)
  end)
end)
