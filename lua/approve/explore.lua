-- Two users become friends, part, block each other, in every order of their scripts: each request is a chain of calls
-- that a node follows, and that ends where the node dies. However it ends, once the halves are finished both lists agree.

local USERS = { ann = '1001', bob = '1002' }
local OTHER = { ann = 'bob', bob = 'ann' }
-- Each user has a second device, on a node of its own; yet another node finishes halves after a login.
local NODE = { ann = 'n1', bob = 'n2', ['ann again'] = 'n3', ['bob again'] = 'n4', mender = 'n5' }

-- What stands in memory: calls that a node has yet to make, in order; those that it made, which may come once more from
-- somewhere on their way; and whether a user has ended the friendship for good.
local memory

before_each(function()
  memory = { todo = { n1 = {}, n2 = {}, n3 = {}, n4 = {}, n5 = {} }, made = {}, is_over = false }
  for _, user in ipairs({ 'ann', 'bob' }) do
    local uid = USERS[user]
    redis.call('HSET', key('user', uid), 'name', user)
    redis.call('HSET', key('seat', uid), 'main:sid', sid(tonumber(uid)), 'main:node', NODE[user])
  end
end)

-- Puts the calls of a script in front of what the node has yet to do, as the server does.
local function note_calls(node, effects)
  local calls, rest = {}, memory.todo[node]
  for _, effect in ipairs(effects) do
    if effect.name == 'call' then
      calls[#calls + 1] = { script = effect.script, uid = effect.uid, args = effect.args }
    end
  end
  for _, call in ipairs(rest) do
    calls[#calls + 1] = call
  end
  memory.todo[node] = calls
end

local function make(call)
  local arguments = { uid = call.uid }
  for name, value in pairs(call.args) do
    arguments[name] = value
  end
  return run(call.script, arguments)
end

-- A user asks for something, from the first device or the second. Answers false where its node is busy with a request.
local function ask(who, script, more)
  local user, node = string.match(who, '^%l+'), NODE[who]
  if #memory.todo[node] > 0 then
    return false
  end
  local body = string.format('{"touid":%s,"applyname":"x"%s}', USERS[OTHER[user]], more or '')
  local effects = run(script, { uid = USERS[user], sid = sid(tonumber(USERS[user])), class = 'main', body = body })
  note_calls(node, effects)
  published()
  return effects
end

-- A user ends the friendship, and nobody approves after that.
local function leave(who, script)
  local effects = ask(who, script)
  if not effects then
    return false
  end
  memory.is_over = memory.is_over or effects.reply.json.error == 0
end

-- The node of a user makes its next call.
local function go_on(who)
  local node = NODE[who]
  local call = table.remove(memory.todo[node], 1)
  if not call then
    return false
  end
  if not memory.made[call.script] then
    memory.made[call.script] = call
  end
  note_calls(node, make(call))
  published()
end

-- The first call of a script comes once more, much later; nobody waits for what it answers.
local function again(script)
  if not memory.made[script] then
    return false
  end
  make(memory.made[script])
  published()
end

local function mend(user)
  note_calls('n5', run('mend', { uid = USERS[user] }))
end

local function drain(node)
  for _ = 1, 20 do
    local call = table.remove(memory.todo[node], 1)
    if not call then
      return
    end
    note_calls(node, make(call))
  end
  assert(false, 'the calls do not end')
end

local function bond(user)
  local text = redis.call('HGET', key('friends', USERS[user]), USERS[OTHER[user]]) or ''
  return string.sub(text, 1, 1), string.match(text, '"since":(%d+)') or string.match(text, '^!?(%-%d+)$')
end

-- Whoever logs in has the halves finished; then both lists agree and no half is left.
local function check_mended(first)
  for _, user in ipairs({ first, OTHER[first] }) do
    mend(user)
    drain('n5')
  end
  local kind, since = bond('ann')
  local other_kind, other_since = bond('bob')
  local note = 'mended first by ' .. first
  assert(kind == '' or kind == '{' or kind == '!' and not since, note .. ': ann has the half ' .. kind .. tostring(since))
  assert(other_kind == '' or other_kind == '{' or other_kind == '!' and not other_since,
    note .. ': bob has the half ' .. other_kind .. tostring(other_since))
  assert.equal(since, other_since, note .. ': the numbers')
  assert.equal(kind == '{', other_kind == '{', note .. ': friends of one side only')
  if memory.is_over then
    assert(kind ~= '{', note .. ': friends again, although one has ended it')
  end
end

-- As if every node died now, and either user logged in first.
local function check()
  local copy = store.copy()
  for _, first in ipairs({ 'ann', 'bob' }) do
    for _, node in pairs(NODE) do
      memory.todo[node] = {}
    end
    check_mended(first)
    store.fall_back(copy)
  end
end

-- A step in which somebody asks for something.
local function request(who, script, after)
  return { name = who .. ': ' .. script, by = NODE[who], after = after, function()
    return ask(who, script) and nil
  end }
end

-- A step in which the first call of a script comes once more.
local function old(script)
  return { name = 'an old ' .. script, function() return again(script) end }
end

local function leaving(who, script, after)
  return { name = who .. ': ' .. script, by = NODE[who], after = after, function() return leave(who, script) end }
end

-- A step in which halves are finished that a user's login brought up, while everything else goes on.
local function login(user)
  return { name = user .. ' logs in', by = 'n5', function()
    if #memory.todo.n5 > 0 then
      return false
    end
    mend(user)
  end }
end

local function time_passes()
  return { name = 'time passes', function() clock.advance(1) end }
end

-- Steps in which the node of each makes so many of its calls.
local function with_calls(steps, counts)
  for who, count in pairs(counts) do
    for turn = 1, count do
      steps[#steps + 1] = { name = 'call ' .. turn .. ' for ' .. who, by = NODE[who],
        after = turn > 1 and 'call ' .. turn - 1 .. ' for ' .. who or nil, function() return go_on(who) end }
    end
  end
  return steps
end

-- That a node dies needs no step of its own: `check` takes every node for dead in every state, and what a node has not
-- done yet when others go on it may as well never do. With `crash` replies get lost too, and each call is made again.
local function play(steps, counts, states_min, crash)
  local covered = explore{ memory = memory, crash = crash, check = check, finally = check,
    steps = with_calls(steps, counts) }
  assert(covered.states >= states_min, 'only ' .. covered.states .. ' states: do the steps still happen?')
end

-- The application of a user stands with the other one.
local function given_application(user)
  ask(user, 'apply')
  drain(NODE[user])
  published()
end

local function given_friends()
  given_application('ann')
  ask('bob', 'approve')
  drain('n2')
  published()
  assert.equal('{ {', bond('ann') .. ' ' .. bond('bob'))
end

it('an application that is approved makes friends, whatever reply is lost and whatever node dies', function()
  local function die(node)
    memory.todo[node] = {}
  end
  play({ request('ann', 'apply'), request('bob', 'approve'), old('befriend') }, { ann = 1, bob = 2 }, 40, die)
end)

it('an application that is made twice and approved twice makes friends once', function()
  play({
    request('ann', 'apply'), request('ann again', 'apply'), request('bob', 'approve'), request('bob again', 'approve'),
    old('applied'), time_passes(),
  }, { ann = 1, ['ann again'] = 1, bob = 2, ['bob again'] = 2 }, 50)
end)

it('an application that is declined and approved at the same time is one of the two', function()
  given_application('ann')
  play({
    request('bob', 'approve'), old('befriend'), old('settle'),
    { name = 'bob declines', by = NODE['bob again'], function() ask('bob again', 'approve', ',"accept":false') end },
  }, { bob = 4, ['bob again'] = 2 }, 20)
end)

it('both apply at once and both approve at once', function()
  play({
    request('ann', 'apply'), request('bob', 'apply'), time_passes(), request('ann again', 'approve'),
    request('bob again', 'approve'),
  }, { ann = 1, bob = 1, ['ann again'] = 3, ['bob again'] = 3 }, 100)
end)

describe('where both have applied', function()
  before_each(function()
    given_application('ann')
    redis.call('HSET', key('applies', USERS.ann), USERS.bob, '{"uid":1002,"status":0,"back":"","at":1}')
  end)

  it('both approve at once', function()
    play({
      request('ann', 'approve'), request('bob', 'approve'), time_passes(), old('befriend'), old('settle'), login('ann'),
    }, { ann = 3, bob = 3, mender = 2 }, 100)
  end)

  it('both approve at once, and one ends it meanwhile', function()
    play({
      request('ann', 'approve'), request('bob again', 'unfriend'), old('befriend'),
      { name = 'bob approves a moment later', function()
        clock.advance(1)
        return ask('bob', 'approve') and nil
      end },
    }, { ann = 3, bob = 3, ['bob again'] = 2 }, 100)
  end)

  it('one approves, the other blocks', function()
    play({ request('ann', 'approve'), leaving('bob', 'block'), old('befriend'), old('unfriended'), login('ann') },
      { ann = 3, bob = 2, mender = 2 }, 100)
  end)
end)

describe('while an application is being approved', function()
  before_each(function()
    given_application('ann')
  end)

  it('the approver ends it, and nobody is a friend', function()
    play({ request('bob', 'approve'), leaving('bob again', 'unfriend'), old('befriend'), old('settle'), login('bob') },
      { bob = 4, ['bob again'] = 2, mender = 2 }, 100)
  end)

  it('the applicant ends it, and nobody is a friend', function()
    play({ request('bob', 'approve'), leaving('ann', 'unfriend'), old('befriend'), old('unfriended'), login('bob') },
      { bob = 4, ann = 2, mender = 2 }, 100)
  end)

  it('the applicant blocks the approver, and takes it back', function()
    play({
      request('bob', 'approve'), request('ann', 'block'), old('befriend'), old('unfriended'),
      { name = 'ann takes it back', by = 'n3', after = 'ann: block', function()
        return ask('ann again', 'block', ',"blocked":false') and nil
      end },
    }, { bob = 4, ann = 2, ['ann again'] = 2 }, 100)
  end)

  it('the approver blocks the applicant', function()
    play({ request('bob', 'approve'), leaving('bob again', 'block'), old('applied'), old('befriend'), login('ann') },
      { bob = 4, ['bob again'] = 2, mender = 2 }, 100)
  end)
end)

describe('friends', function()
  before_each(given_friends)

  it('both end it at once, one by a block', function()
    play({
      leaving('ann', 'unfriend'), leaving('bob', 'unfriend'), leaving('bob again', 'block'), old('unfriended'),
      old('befriend'), time_passes(),
    }, { ann = 2, bob = 2, ['bob again'] = 2 }, 100)
  end)

  it('who part and become friends again have one number', function()
    play({
      request('ann', 'unfriend'), time_passes(), old('unfriended'), old('befriend'), request('ann again', 'apply'),
      request('bob', 'approve', 'ann again: apply'),
    }, { ann = 2, ['ann again'] = 2, bob = 3 }, 100)
  end)
end)
