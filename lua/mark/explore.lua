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

it('a node that pauses beyond its lease is told to register anew, and keeps its sessions', function()
  f.explore({
    crash = true,
    steps = {
      { name = 'half a lease passes', pass(0.5) },
      { name = 'another half passes', pass(0.5) },
      { name = 'n1 beats', function() return f.beat('n1') end },
      { name = 'n1 beats again', after = 'n1 beats', function() return f.beat('n1') end },
      { name = 'n2 beats', function() return f.beat('n2') end },
      { name = 'n2 beats again', after = 'n2 beats', function() return f.beat('n2') end },
      { name = 'n2 marks', function() return f.mark('n2') end },
      { name = 'n2 surveys', after = 'n2 marks', function() return f.survey('n2') end },
      { name = 'the reap of one', after = 'n2 surveys', function() return f.end_next('n2') end },
      { name = 'verify of 1', function() return f.verify(1) end },
    },
  }, 500)
end)
