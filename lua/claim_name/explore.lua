-- Two users want one name, and whoever asks for them dies at any point: one name is in one profile, and found there.

local memory

local function claim(uid, name, left)
  local arguments = { uid = name, who = uid }
  for field, value in pairs(left or {}) do
    arguments[field] = value
  end
  return run('claim_name', arguments).reply.json
end

local function name_of(uid)
  return run('profile', { uid = uid }).reply.json.profile.name
end

-- What the admin interface does for a user who wants a name, in its three parts.
local function want(uid)
  local answer = claim(uid, 'ada')
  if answer.outcome == 'taken' and name_of(answer.uid) ~= 'ada' then
    answer = claim(uid, 'ada', { peer = answer.uid, since = answer.at })
  end
  memory.at[uid] = answer.outcome == 'claimed' and answer.at or nil
end

local function write(uid)
  if not memory.at[uid] then
    return false
  end
  local answer = run('put_profile', { uid = uid, since = memory.at[uid], body = '{"name":"ada"}' }).reply.json
  memory.at[uid], memory.former[uid], memory.claim[uid] = nil, answer.former, answer.claim
end

local function release(uid)
  if not memory.former[uid] then
    return false
  end
  run('release_name', { uid = memory.former[uid], peer = uid, since = memory.claim[uid] })
  memory.former[uid] = nil
end

local function found(name)
  local e = run('find_name', { uid = name })
  e = e.call and follow(e.call) or e
  return e.reply.json.uid
end

local function check()
  local holder
  for _, uid in ipairs({ '1001', '1002', '1003' }) do
    if name_of(uid) == 'ada' then
      assert.is_nil(holder, 'two users have one name')
      holder = uid
    end
  end
  assert.equal(tonumber(holder), found('ada'))
  for _, name in ipairs({ 'bob', 'eve' }) do
    local uid = name == 'bob' and '1001' or '1002'
    if name_of(uid) == name then
      assert.equal(tonumber(uid), found(name))
    end
  end
end

-- Whatever was left behind, a name that is in no profile is to be had a minute later.
local function finally()
  clock.advance(60010)
  for _, name in ipairs({ 'ada', 'bob', 'eve' }) do
    local answer = claim('1003', name)
    if answer.outcome == 'taken' and name_of(answer.uid) ~= name then
      answer = claim('1003', name, { peer = answer.uid, since = answer.at })
      assert.equal('claimed', answer.outcome, name)
    end
    if answer.outcome == 'claimed' then
      run('put_profile', { uid = '1003', since = answer.at, body = '{"name":"' .. name .. '"}' })
      assert.equal(1003, found(name))
    end
    check()
  end
end

it('one name, two users, in every order', function()
  memory = { at = {}, former = {}, claim = {} }
  for uid, name in pairs({ ['1001'] = 'bob', ['1002'] = 'eve' }) do
    run('put_profile', { uid = uid, since = claim(uid, name).at, body = '{"name":"' .. name .. '"}' })
  end
  clock.advance(1)
  local covered = explore{
    memory = memory, crash = true, check = check, finally = finally,
    steps = {
      { name = '1001 claims', by = 'a', function() want('1001') end },
      { name = '1001 writes', by = 'a', after = '1001 claims', function() return write('1001') end },
      { name = '1001 releases', by = 'a', after = '1001 writes', function() return release('1001') end },
      { name = '1002 claims', by = 'b', function() want('1002') end },
      { name = '1002 writes', by = 'b', after = '1002 claims', function() return write('1002') end },
      { name = '1002 releases', by = 'b', after = '1002 writes', function() return release('1002') end },
      { name = '1002 claims again', by = 'c', after = '1002 claims', function() want('1002') end },
      { name = '1002 writes again', by = 'c', after = '1002 claims again', function() return write('1002') end },
      { name = 'half a minute', function() clock.advance(30001) end },
      { name = 'another half', after = 'half a minute', function() clock.advance(30001) end },
    },
  }
  assert(covered.states >= 500, 'only ' .. covered.states .. ' states: do the steps still happen?')
end)

it('a user who takes a name back keeps it', function()
  memory = { at = {}, former = {}, claim = {} }
  run('put_profile', { uid = '1001', since = claim('1001', 'ada').at, body = '{"name":"ada"}' })
  clock.advance(1)
  local function put(name)
    return run('put_profile', { uid = '1001', since = claim('1001', name).at, body = '{"name":"' .. name .. '"}' }).reply.json
  end
  explore{
    memory = memory, crash = true, check = check,
    steps = {
      { name = 'to bob', by = 'a', function()
        local answer = put('bob')
        memory.former['1001'], memory.claim['1001'] = answer.former, answer.claim
      end },
      { name = 'ada is released', by = 'a', after = 'to bob', function() return release('1001') end },
      { name = 'back to ada', by = 'b', function() put('ada') end },
    },
  }
end)
