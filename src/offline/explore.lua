-- The word `explore` of the test language. `native.explore` plays the orders; here steps get their names, and script
-- calls their lost replies.
local native = ...
local fail, try, run, explore = native.fail, native.try, native.run, native.explore

local STATES_MAX = 20000
local FIELDS = { steps = true, memory = true, crash = true, check = true, finally = true, states_max = true, order = true }
local STEP_FIELDS = { name = true, by = true, after = true }

-- What befalls the step that is played: which of its script calls loses its reply, and whether the caller dies of it.
local is_exploring, lost_call, dies, calls, is_cut = false, nil, false, 0, false

native.run = function(name, arguments)
  if is_cut then
    fail('the caller is dead')
  end
  local effects = run(name, arguments)
  calls = calls + 1
  if calls == lost_call then
    if dies then
      is_cut = true
      fail('the caller died')
    end
    effects = run(name, arguments)
  end
  return effects
end

-- A step cannot catch the death of its caller.
local function unless_cut(...)
  if is_cut then
    fail('the caller is dead')
  end
  return ...
end

native.try = function(...)
  return unless_cut(try(...))
end

local function not_while_exploring(word, f)
  return function(...)
    if is_exploring then
      fail(word .. ' cannot be undone; call it before explore')
    end
    return f(...)
  end
end

local function check_type(what, value, kind)
  if value ~= nil and type(value) ~= kind then
    fail(what .. ' has to be a ' .. kind .. ', not a ' .. type(value))
  end
end

local function check_fields(what, given, allowed)
  for field in pairs(given) do
    if not allowed[field] then
      fail(what .. ' has no `' .. tostring(field) .. '`')
    end
  end
end

local function read_step(position, given)
  if type(given) == 'function' then
    return { name = 'step ' .. position, body = given, after = {} }
  end
  if type(given) ~= 'table' or type(given[1]) ~= 'function' then
    fail('step ' .. position .. " is neither a function nor { name = 'x', function() ... end }")
  end
  local step = { name = given.name or 'step ' .. position, by = given.by, body = given[1] }
  step.after = type(given.after) == 'table' and given.after or { given.after }
  for field in pairs(given) do
    if field ~= 1 and not STEP_FIELDS[field] then
      fail('a step has no `' .. tostring(field) .. '`')
    end
  end
  return step
end

local function read_steps(given)
  local steps, known, callers = {}, {}, {}
  for position, each in ipairs(given) do
    local step = read_step(position, each)
    if known[step.name] then
      fail('two steps are called `' .. step.name .. '`')
    end
    steps[position], known[step.name] = step, position
    if step.by and not callers[step.by] then
      callers[step.by], callers[#callers + 1] = true, step.by
    end
  end
  for _, step in ipairs(steps) do
    for i, name in ipairs(step.after) do
      step.after[i] = known[name] or fail('`' .. step.name .. '` comes after `' .. tostring(name) .. '`, which is no step')
    end
  end
  return steps, callers
end

-- The message of a function that fails.
local function message_of(body)
  local ok, message = try(body)
  if not ok then
    return message
  end
end

local function nothing() end

-- Plays a step, or lets a caller die. Answers the number of script calls, or nil where it could not happen; and the
-- message where it failed.
local function perform(steps, callers, on_death, step, caller, lost, is_fatal)
  calls, lost_call, dies, is_cut = 0, lost, is_fatal, false
  local ok, possible = true, true
  if step then
    ok, possible = try(steps[step].body)
  end
  local made, was_cut = calls, is_cut
  lost_call, is_cut = nil, false
  if not ok and not was_cut then
    return nil, possible
  end
  local dead = was_cut and steps[step].by or callers[caller]
  if dead then
    ok, possible = try(on_death, dead)
    if not ok then
      return nil, possible
    end
  end
  if possible ~= false or was_cut then
    return made
  end
end

rawset(_G, 'explore', function(given)
  check_type('explore', given, 'table')
  check_fields('explore', given, FIELDS)
  check_type('steps', given.steps or false, 'table')
  check_type('check', given.check, 'function')
  check_type('finally', given.finally, 'function')
  check_type('memory', given.memory, 'table')
  if is_exploring then
    fail('an exploration cannot explore')
  end
  local steps, callers = read_steps(given.steps)
  local on_death = type(given.crash) == 'function' and given.crash or nothing
  is_exploring = true
  local ok, orders, states = try(explore, {
    steps = steps, memory = given.memory or {}, crash = given.crash and true or false, order = given.order,
    states_max = given.states_max or STATES_MAX,
    perform = function(...) return perform(steps, callers, on_death, ...) end,
    check = function() return message_of(given.check or nothing) end,
    finish = function() return message_of(given.finally or nothing) end,
  })
  is_exploring = false
  if not ok then
    error(orders, 0)
  end
  return { orders = orders, states = states }
end)
rawset(_G, 'pcall', native.try)
rawset(_G, 'defaults', not_while_exploring('defaults', defaults))
rawset(_G, 'given_version', not_while_exploring('given_version', given_version))
