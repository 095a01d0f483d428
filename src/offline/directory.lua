-- Nodes of a `fleet` that live by leases: `fleet{ lease_ms = 1000 }`.
--
-- They register, beat, and reap each other as the server's do: look whose sessions stand in the rosters, then mark the
-- dead, list what those have and what nodes have that nobody knows, and end one after the other. What each believes of
-- itself and what a reaper has learned stands in the memory of the fleet, so that an exploration can come between any two
-- steps.
local native = ...
local fail = native.fail

-- What a reaper may end: all that a dead node had. An incarnation that the directory has not heard of yet is not dead
-- because an older one is: the directory fell back, and the node registers anew with its next beat.
local function is_reapable(learned, owner)
  local node = learned[owner.node]
  return not node or node.dead and owner.incarnation <= node.incarnation
end

native.keep_directory = function(fleet, inner)
  local known, node_of, call, merge, sorted = inner.known, inner.node_of, inner.call, inner.merge, inner.sorted
  local memory = known()
  -- When any node was heard of last, and since when they are heard of without a gap: what the fleet has to know, kept
  -- beside it.
  memory.heard, memory.since, memory.reapers = nil, nil, {}

  -- 1. Leases.

  local function lease_ms()
    return known().lease_ms
  end

  local function note_sign(name, deadline)
    local node, now = node_of(name), clock.now()
    local last = known().heard
    if not last or now - last > lease_ms() or now < last then
      known().since = now
    end
    known().heard, node.heard, node.deadline = now, now, deadline
  end

  local function register(name, former)
    local node = node_of(name)
    local answer = run('register', { node = name, owner = name, address = name, capacity = 10, store = 's',
      lease_ms = lease_ms(), incarnation = former }).reply.json
    if answer.incarnation <= node.incarnation and node.heard then
      fail('an incarnation of ' .. name .. ' comes twice')
    end
    node.incarnation, node.is_dead, node.is_marked = answer.incarnation, false, false
    note_sign(name, answer.deadline)
  end

  -- A process starts; whatever ran under its name is gone. It ends what was left of that before it serves.
  function fleet.start(name)
    fleet.die(name)
    register(name, 0)
    fleet.list_dead(name)
  end

  -- A node beats. One that is told to registers anew, and goes on with the sessions that it has.
  function fleet.beat(name)
    local node = node_of(name)
    if node.is_dead then
      return false
    end
    local answer = run('beat', { node = name, owner = name, incarnation = node.incarnation, count = 0,
      lease_ms = lease_ms() }).reply.json
    if answer.outcome == 'ok' then
      if node.is_marked then
        fail('an incarnation of ' .. name .. ' that was taken for dead goes on')
      end
      note_sign(name, answer.deadline)
    else
      assert.equal('register', answer.outcome, 'the beat of ' .. name)
      register(name, node.incarnation)
    end
    return answer
  end

  -- 2. Reapers.

  -- A node may be taken for dead only when it was silent for a lease while others were heard of all the time.
  local function judge_mark(name)
    local node = node_of(name)
    -- What it was heard of in a time that is yet to come counts for nothing: time went back since.
    local heard = node.heard and node.heard <= clock.now() and node.heard or 0
    local silent_since = math.max(heard, known().since or math.huge)
    if not known().heard or clock.now() - known().heard > lease_ms() then
      fail(name .. ' is taken for dead while nobody was heard of')
    elseif not node.is_dead and clock.now() - silent_since < lease_ms() then
      fail(name .. ' is taken for dead, and was heard of within its lease')
    end
  end

  -- The sessions of the incarnation that it has may be reaped only when that one was marked, or nobody knows the node
  -- and it was silent likewise.
  local function judge_reap(owner, is_known)
    local node = node_of(owner.node)
    if owner.incarnation == node.incarnation and not node.is_marked then
      if is_known and not node.is_dead then
        fail('G3: sessions of ' .. owner.node .. ' are reaped because an older incarnation is dead')
      end
      judge_mark(owner.node)
    end
  end

  -- A node looks whose sessions there are. Only then it may ask who is dead: whoever had a session was known before.
  function fleet.survey(reaper)
    if node_of(reaper).is_dead then
      return false
    end
    known().reapers[reaper] = { owners = run('owners').reply.json.owners, calls = {} }
  end

  -- It asks who is dead.
  function fleet.mark(reaper)
    local work = known().reapers[reaper]
    if not work or node_of(reaper).is_dead then
      return false
    end
    local answer, learned = run('mark').reply.json, {}
    for _, each in ipairs(answer.nodes) do
      local node = node_of(each.name)
      learned[each.name] = { dead = each.dead, incarnation = each.incarnation }
      if each.dead and each.incarnation == node.incarnation and not node.is_marked then
        judge_mark(each.name)
        node.is_marked = true
      end
    end
    work.learned = answer.calm and learned or nil
    return answer
  end

  local function list(calls, owner)
    local cursor = ''
    repeat
      local effects = run('reap', { node = owner.node, incarnation = owner.incarnation + 1, cursor = cursor })
      for _, effect in ipairs(effects) do
        calls[#calls + 1] = effect.name == 'call' and effect.args or nil
      end
      cursor = effects.reply.json.cursor
    until cursor == ''
  end

  -- It lists what is to be ended; the calls arrive later.
  function fleet.list(reaper)
    local work = known().reapers[reaper]
    if not work or not work.learned or node_of(reaper).is_dead then
      return false
    end
    for _, owner in ipairs(work.owners) do
      if is_reapable(work.learned, owner) then
        judge_reap(owner, work.learned[owner.node] ~= nil)
        list(work.calls, owner)
      end
    end
    work.owners = {}
  end

  -- The next of its calls arrives.
  function fleet.end_next(reaper)
    local work = known().reapers[reaper]
    local arguments = work and table.remove(work.calls, 1)
    if not arguments then
      return false
    end
    call('expire', merge({}, arguments), arguments.sid)
  end

  -- 3. What happens to the store.

  -- The shard of the directory loses all that it had.
  function fleet.lose_directory()
    redis.call('DEL', key('nodes'), key('leases'), key('stats'), key('meta'))
    known().heard = nil
  end

  -- What the directory says now, to fall back to.
  function fleet.copy_directory()
    return { at = clock.now(), nodes = redis.call('HGETALL', key('nodes')),
      leases = redis.call('ZRANGE', key('leases'), 0, -1, 'WITHSCORES') }
  end

  -- The shard of the directory loses what came after a copy.
  function fleet.directory_falls_back(copy)
    redis.call('DEL', key('nodes'), key('leases'))
    redis.call('HSET', key('nodes'), unpack(copy.nodes))
    for i = 1, #copy.leases, 2 do
      redis.call('ZADD', key('leases'), copy.leases[i + 1], copy.leases[i])
    end
    known().heard = math.min(known().heard, copy.at)
    for _, node in pairs(known().nodes) do
      node.heard, node.is_marked = node.heard and math.min(node.heard, copy.at), false
    end
  end

  -- 4. Settling.

  local function the_living()
    local living = {}
    for _, name in ipairs(sorted(known().nodes)) do
      living[#living + 1] = not node_of(name).is_dead and name or nil
    end
    return living
  end

  -- Whoever lives beats for long enough that the fleet is calm and every dead node's lease is out; then one reaps.
  function fleet.reap_all()
    if #the_living() == 0 then
      fleet.start('observer')
    end
    for _ = 1, 6 do
      clock.advance(lease_ms() / 2)
      for _, name in ipairs(the_living()) do
        fleet.beat(name)
      end
    end
    repeat until fleet.reap_next() == false
    for _, reaper in ipairs(sorted(known().reapers)) do
      repeat until fleet.end_next(reaper) == false
    end
    local reaper = the_living()[1]
    fleet.survey(reaper)
    assert.is_true(fleet.mark(reaper).calm, 'the fleet is calm in the end')
    fleet.list(reaper)
    repeat until fleet.end_next(reaper) == false
  end

  local settle = fleet.settle

  -- In the end nothing stands in the roster but what an incarnation holds that lives (G5).
  function fleet.settle()
    settle()
    for _, owner in ipairs(run('owners').reply.json.owners) do
      local node = node_of(owner.node)
      if node.is_dead or node.incarnation ~= owner.incarnation then
        fail('G5: sessions of ' .. owner.node .. '#' .. owner.incarnation .. ' are left')
      end
    end
  end
end
