-- Nodes that pause, die and come back while others reap, in every order: nobody is taken for dead who was heard of, no
-- session of a dead one is left, and whoever lives keeps its seat.

local LEASE = 1000

-- A fleet of n1 and n2 that has been calm for a while; session 1 sits on n1.
local f
before_each(function()
  f = fleet{ lease_ms = LEASE }
  f.start('n1')
  f.start('n2')
  for _ = 1, 3 do
    clock.advance(LEASE / 2)
    f.beat('n1')
    f.beat('n2')
  end
  f.issue('aa')
  f.login(1, 'n1', 'aa')
end)

local function pass(part)
  return function() clock.advance(LEASE * part) end
end

local function half_with_n2()
  clock.advance(LEASE / 2)
  f.beat('n2')
end

local function mark_and_list(reaper)
  return function() return f.mark(reaper) and f.list(reaper) end
end

it('a node that pauses beyond its lease is told to register anew, and keeps its sessions', function()
  f.explore({
    crash = true,
    steps = {
      { name = 'half a lease passes', pass(0.5) },
      { name = 'another half passes', after = 'half a lease passes', half_with_n2 },
      { name = 'n1 beats', function() return f.beat('n1') end },
      { name = 'n1 beats again', after = 'n1 beats', function() return f.beat('n1') end },
      { name = 'n2 beats', function() return f.beat('n2') end },
      { name = 'n2 surveys', function() return f.survey('n2') end },
      { name = 'n2 marks', after = 'n2 surveys', mark_and_list('n2') },
      { name = 'the reap of one', after = 'n2 marks', function() return f.end_next('n2') end },
      { name = 'verify of 1', function() return f.verify(1) end },
    },
  }, 500)
end)

it('two reapers at once do no harm, also to a node that starts again meanwhile', function()
  f.explore({
    steps = {
      { name = 'n1 dies', function() f.die('n1') end },
      { name = 'n1 starts again', after = 'n1 dies', function() f.start('n1') end },
      { name = 'a lease passes for n1', after = 'n1 dies', function() half_with_n2(); half_with_n2() end },
      { name = 'n2 surveys', by = 'n2', function() return f.survey('n2') end },
      { name = 'n2 marks', by = 'n2', after = 'n2 surveys', mark_and_list('n2') },
      { name = 'a reap by n2', by = 'n2', after = 'n2 marks', function() return f.end_next('n2') end },
      { name = 'n1 surveys', by = 'n1', after = 'n1 starts again', function() return f.survey('n1') end },
      { name = 'n1 marks', by = 'n1', after = 'n1 surveys', mark_and_list('n1') },
      { name = 'a reap by n1', by = 'n1', after = 'n1 marks', function() return f.end_next('n1') end },
      { name = 'what was left before the start', by = 'n1', after = 'n1 starts again', f.reap_next },
      { name = 'a resume as 2', function() return f.login(2, 'n1', 'aa') end },
    },
  }, 500)
end)

it('an outage of all that was longer than a lease has nobody taken for dead', function()
  f.explore({
    crash = true,
    steps = {
      { name = 'an outage', function() clock.advance(LEASE + 1) end },
      { name = 'n1 beats', after = 'an outage', function() return f.beat('n1') end },
      { name = 'n2 beats', after = 'an outage', function() return f.beat('n2') end },
      { name = 'half a lease passes', after = 'an outage', pass(0.5) },
      { name = 'n2 beats again', after = { 'n2 beats', 'half a lease passes' }, function() return f.beat('n2') end },
      { name = 'another half passes', after = 'half a lease passes', pass(0.5) },
      { name = 'n2 surveys', function() return f.survey('n2') end },
      { name = 'n2 marks', after = 'n2 surveys', mark_and_list('n2') },
      { name = 'the reap of one', after = 'n2 marks', function() return f.end_next('n2') end },
      { name = 'verify of 1', after = 'n1 beats', function() return f.verify(1) end },
    },
  }, 500)
end)

it('a directory that is lost is put back by who lives, and nobody is reaped who comes back in time', function()
  f.explore({
    crash = true,
    steps = {
      { name = 'the directory is lost', f.lose_directory },
      { name = 'n1 beats', function() return f.beat('n1') end },
      { name = 'n2 beats', function() return f.beat('n2') end },
      { name = 'half a lease passes', pass(0.5) },
      { name = 'another half passes', after = 'half a lease passes', half_with_n2 },
      { name = 'n2 surveys', function() return f.survey('n2') end },
      { name = 'n2 marks', after = 'n2 surveys', mark_and_list('n2') },
      { name = 'the reap of one', after = 'n2 marks', function() return f.end_next('n2') end },
      { name = 'verify of 1', after = 'n1 beats', function() return f.verify(1) end },
    },
  }, 500)
end)

it('time that goes back leaves nobody taken for dead who lives, and the dead do not stay', function()
  f.explore({
    crash = true,
    steps = {
      { name = 'time goes back', function() clock.advance(-10 * LEASE) end },
      { name = 'n1 dies', function() f.die('n1') end },
      { name = 'n1 beats', function() return f.beat('n1') end },
      { name = 'n2 beats', function() return f.beat('n2') end },
      { name = 'half a lease passes', pass(0.5) },
      { name = 'another half passes', after = 'half a lease passes', half_with_n2 },
      { name = 'n2 surveys', function() return f.survey('n2') end },
      { name = 'n2 marks', after = 'n2 surveys', mark_and_list('n2') },
      { name = 'the reap of one', after = 'n2 marks', function() return f.end_next('n2') end },
      { name = 'verify of 1', function() return f.verify(1) end },
    },
  }, 500)
end)

it('a login that a dead node has sent makes no ghost, however late it arrives (rule 4)', function()
  f.issue('bb')
  local deadline = clock.now() + LEASE
  f.explore({
    steps = {
      { name = 'n1 sends a login of 2', function() return f.send_login(2, 'n1', 'bb') end },
      { name = 'n1 dies', function() f.die('n1') end },
      { name = 'n1 starts again', after = 'n1 dies', function() f.start('n1') end },
      { name = 'what was left before the start', after = 'n1 starts again', f.reap_next },
      { name = 'half a lease passes', half_with_n2 },
      { name = 'another half passes', after = 'half a lease passes', half_with_n2 },
      { name = 'n2 surveys', function() return f.survey('n2') end },
      { name = 'n2 marks', after = 'n2 surveys', mark_and_list('n2') },
      { name = 'the reap of one', after = 'n2 marks', function() return f.end_next('n2') end },
      { name = 'the login arrives', after = 'n1 sends a login of 2', function()
        local effects = f.login_again(2)
        assert(not effects.bind or clock.now() <= deadline, 'it is seated when its node may be dead')
      end },
      { name = 'a resume as 3', function() return f.login(3, 'n2', 'aa') end },
    },
  }, 300)
end)

it('a node that nobody knew a moment ago is not reaped', function()
  f.issue('bb')
  f.explore({
    steps = {
      { name = 'n2 surveys', function() return f.survey('n2') end },
      { name = 'n2 marks', function() return f.mark('n2') end },
      { name = 'n2 lists', function() return f.list('n2') end },
      { name = 'the reap of one', function() return f.end_next('n2') end },
      { name = 'n3 starts', function() f.start('n3') end },
      { name = 'login of 2', function() return f.login(2, 'n3', 'bb') end },
      { name = 'n3 starts again', after = 'n3 starts', function() f.start('n3') end },
      { name = 'what was left before the start', after = 'n3 starts again', f.reap_next },
      { name = 'login of 3', function() return f.login(3, 'n3', 'bb') end },
    },
  }, 50)
end)

it('a directory that falls back to when a node was dead has the node that came back not reaped (G3)', function()
  for _ = 1, 3 do
    clock.advance(LEASE / 2)
    f.beat('n2')
  end
  f.survey('n2')
  f.mark('n2')
  local copy = f.copy_directory()
  f.beat('n1')
  f.verify(1)
  f.explore({
    crash = true,
    steps = {
      { name = 'the directory falls back', function() f.directory_falls_back(copy) end },
      { name = 'n2 surveys', function() return f.survey('n2') end },
      { name = 'n2 marks', after = 'n2 surveys', mark_and_list('n2') },
      { name = 'the reap of one', after = 'n2 marks', function() return f.end_next('n2') end },
      { name = 'n1 beats', function() return f.beat('n1') end },
      { name = 'n2 beats', function() return f.beat('n2') end },
      { name = 'half a lease passes', pass(0.5) },
      { name = 'another half passes', after = 'half a lease passes', pass(0.5) },
      { name = 'verify of 1', function() return f.verify(1) end },
    },
  }, 300)
end)
