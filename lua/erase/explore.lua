-- A user is erased while friends come and go, and whoever asks for it dies at any point: asked for again, it ends, and
-- nobody keeps a friend who is no more.

local memory

-- Runs a script and whatever it calls, as a node does. Answers the first reply.
local function carry(effects)
  for _, effect in ipairs(effects) do
    if effect.name == 'call' then
      carry(follow(effect))
    end
  end
  return effects.reply and effects.reply.json
end

local function befriend(uid, since)
  redis.call('HSET', key('friends', '1001'), uid, '{"uid":' .. uid .. ',"since":' .. since .. '}')
  redis.call('HSET', key('friends', uid), '1001', '{"uid":1001,"since":' .. since .. '}')
end

local function login(uid, n)
  run('ticket', { uid = uid, class = 'main', token_digest = 'a' .. n })
  run('login', { uid = uid, sid = sid(n), token_digest = 'a' .. n, address = 'a:' .. n })
end

local function ask(n, script, body)
  return carry(run(script, { uid = '100' .. n, sid = sid(n), class = 'main', body = body }))
end

local function next_page()
  if memory.cursor == '' then
    return false
  end
  memory.cursor = carry(run('erase', { uid = '1001', cursor = memory.cursor or '', page_max = 1 })).cursor
end

-- As the admin interface does it, from the start.
local function erase_all()
  for _ = 1, 4 do
    local cursor, left = '', 0
    repeat
      local page = carry(run('erase', { uid = '1001', cursor = cursor, page_max = 1 }))
      cursor, left = page.cursor, left + page.left
    until cursor == ''
    if left == 0 and run('erase_rest', { uid = '1001' }).reply.json.left == 0 then
      return
    end
  end
  assert(false, 'the erasure does not end')
end

-- Once the rest has gone there is nobody who could tell a friend. What the other has begun alone may stand yet.
local function check()
  for _, uid in ipairs({ '1002', '1003', '1004' }) do
    local theirs = redis.call('HGET', key('friends', uid), '1001') or ''
    assert.is_true(not memory.is_gone or not string.find(theirs, '^{'), theirs)
  end
end

-- All that a crash left is finished: by the admin interface that asks again, and by the others at their next login.
local function finally()
  erase_all()
  for _, uid in ipairs({ '1002', '1003', '1004' }) do
    carry(run('mend', { uid = uid }))
    local theirs = redis.call('HGET', key('friends', uid), '1001') or ''
    assert.is_true(theirs == '' or string.find(theirs, '^!%d') ~= nil, theirs)
  end
  for name, value in pairs(state()) do
    assert.is_true(not string.find(name, ':1001$') or value['|erasing'] == 'done', name)
  end
end

it('an erasure ends, in every order with what friends do', function()
  memory = {}
  login('1002', 2)
  login('1003', 3)
  login('1004', 4)
  redis.call('HSET', key('applies', '1004'), '1001', '{"uid":1001,"status":0,"at":1}')
  befriend('1002', 1700000000001)
  befriend('1003', 1700000000002)
  redis.call('HSET', key('user', '1001'), 'nick', 'A')
  clock.advance(1)
  local covered = explore{
    memory = memory, crash = true, check = check, finally = finally,
    steps = {
      { name = 'a page', by = 'admin', next_page },
      { name = 'the next page', by = 'admin', after = 'a page', next_page },
      { name = 'the rest', by = 'admin', after = 'the next page', function()
        memory.is_gone = run('erase_rest', { uid = '1001' }).reply.json.left == 0
      end },
      { name = '1002 ends the friendship', by = 'n1', function()
        ask(2, 'unfriend', '{"fromuid":1002,"touid":1001}')
      end },
      { name = '1004 approves', by = 'n3', function()
        ask(4, 'approve', '{"fromuid":1004,"touid":1001}')
      end },
      { name = '1003 blocks', by = 'n2', function()
        ask(3, 'block', '{"fromuid":1003,"touid":1001}')
      end },
    },
  }
  assert(covered.states >= 100, 'only ' .. covered.states .. ' states: do the steps still happen?')
end)
