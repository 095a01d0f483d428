-- The test language: describe, it, before_each, assert, and words for running scripts and looking into the store.
-- `native` comes from Rust; what is returned goes back to it.
local native = ...
local fail = native.fail

-- 1. Groups and tests.

local CLAIM = { since = true, till = true, only = true }
local tests, taken, group = {}, {}, { name = '', before = {}, claim = {} }

-- What stands between name and function may be left out. Answers the claim, with that of the group, and the function.
local function read_block(word, name, options, body)
  if type(options) == 'function' and body == nil then
    options, body = {}, options
  end
  if type(name) ~= 'string' or type(options) ~= 'table' or type(body) ~= 'function' then
    fail(word .. ' takes a name and a function, and options between them: { since = 2, till = 3, only = 1 }')
  end
  local claim = {}
  for option, version in pairs(group.claim) do
    claim[option] = version
  end
  for option, version in pairs(options) do
    if not CLAIM[option] then
      fail(word .. ' has no option `' .. tostring(option) .. '`; allowed are since, till, only')
    elseif type(version) ~= 'number' or version < 1 or version % 1 ~= 0 then
      fail('`' .. option .. '` takes the number of a version, not ' .. tostring(version))
    end
    claim[option] = version
  end
  return claim, body
end

function describe(name, options, body)
  local claim, block = read_block('describe', name, options, body)
  local outer = group
  group = { name = outer.name .. name .. ' ', before = {}, outer = outer, claim = claim }
  block()
  group = outer
end

function it(name, options, body)
  local claim, block = read_block('it', name, options, body)
  local full_name = group.name .. name
  if taken[full_name] then
    fail('a test of this name begins on line ' .. tostring(taken[full_name]) .. ' already: ' .. full_name)
  end
  taken[full_name] = native.line() or 0
  tests[#tests + 1] = { name = full_name, body = block, group = group, claim = claim, line = taken[full_name] }
end

function before_each(body)
  group.before[#group.before + 1] = body
end

local function prepare(of)
  if of.outer then
    prepare(of.outer)
  end
  for _, body in ipairs(of.before) do
    body()
  end
end

-- 2. Showing and comparing values.

local SHOWN_MAX, LINES_MAX = 400, 12

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == 'string' or type(a) == 'number') then
      return a < b
    end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local function write(value, depth)
  if type(value) == 'string' then
    return (string.gsub(string.format('%q', value), '\\\n', '\\n'))
  elseif type(value) == 'number' then
    return string.format('%.15g', value)
  elseif type(value) ~= 'table' or depth > 6 then
    return tostring(value)
  end
  local parts = {}
  for _, key in ipairs(sorted_keys(value)) do
    local name = ''
    if type(key) ~= 'number' or key < 1 or key > #value then
      name = (type(key) == 'string' and key or '[' .. tostring(key) .. ']') .. ' = '
    end
    parts[#parts + 1] = name .. write(value[key], depth + 1)
  end
  return '{ ' .. table.concat(parts, ', ') .. ' }'
end

local function show(value)
  local text = write(value, 0)
  return #text > SHOWN_MAX and string.sub(text, 1, SHOWN_MAX) .. ' ...' or text
end

local function compare(expected, actual, path, lines)
  if type(expected) ~= 'table' or type(actual) ~= 'table' then
    if expected ~= actual then
      lines[#lines + 1] = (path == '' and '' or 'at ' .. path .. ': ') .. 'expected ' .. show(expected) .. ', got ' .. show(actual)
    end
    return
  end
  local both = {}
  for key in pairs(expected) do both[key] = true end
  for key in pairs(actual) do both[key] = true end
  for _, key in ipairs(sorted_keys(both)) do
    local step = type(key) == 'number' and '[' .. key .. ']' or '.' .. tostring(key)
    compare(rawget(expected, key), rawget(actual, key), path .. step, lines)
  end
end

-- Compares only what is expected; a list has to be as long as the expected one.
local function compare_part(expected, actual, path, lines)
  if type(expected) ~= 'table' or type(actual) ~= 'table' then
    return compare(expected, actual, path, lines)
  elseif next(expected) == nil or expected[1] ~= nil then
    if #expected ~= #actual then
      lines[#lines + 1] = (path == '' and '' or 'at ' .. path .. ': ') .. 'expected ' .. #expected .. ' items, got ' .. #actual
    end
  end
  for _, key in ipairs(sorted_keys(expected)) do
    local step = type(key) == 'number' and '[' .. key .. ']' or '.' .. tostring(key)
    compare_part(expected[key], rawget(actual, key), path .. step, lines)
  end
end

local function names_of(effects)
  local names = {}
  for i, effect in ipairs(effects) do
    names[i] = tostring(effect.name)
  end
  return table.concat(names, ' ')
end

local function fail_with(note, lines)
  if #lines > LINES_MAX then
    lines[LINES_MAX] = '... and ' .. #lines - LINES_MAX + 1 .. ' more differences'
  end
  local message = table.concat(lines, '\n', 1, math.min(#lines, LINES_MAX))
  fail(note and tostring(note) .. ': ' .. message or message)
end

-- 3. Assertions: what is expected comes first.

local function with(note, message)
  return note and tostring(note) .. ': ' .. message or message
end

assert = setmetatable({
  equal = function(expected, actual, note)
    if expected ~= actual then
      fail(with(note, 'expected ' .. show(expected) .. ', got ' .. show(actual)))
    end
  end,
  not_equal = function(unwanted, actual, note)
    if unwanted == actual then
      fail(with(note, 'expected anything but ' .. show(actual)))
    end
  end,
  same = function(expected, actual, note)
    local lines = {}
    compare(expected, actual, '', lines)
    if #lines > 0 then
      fail_with(note, lines)
    end
  end,
  is_true = function(actual, note)
    if actual ~= true then
      fail(with(note, 'expected true, got ' .. show(actual)))
    end
  end,
  is_false = function(actual, note)
    if actual ~= false then
      fail(with(note, 'expected false, got ' .. show(actual)))
    end
  end,
  is_nil = function(actual, note)
    if actual ~= nil then
      fail(with(note, 'expected nil, got ' .. show(actual)))
    end
  end,
  is_not_nil = function(actual, note)
    if actual == nil then
      fail(with(note, 'expected something, got nil'))
    end
  end,
  matches = function(pattern, actual, note)
    if type(actual) ~= 'string' or not string.find(actual, pattern) then
      fail(with(note, 'expected a text that matches ' .. show(pattern) .. ', got ' .. show(actual)))
    end
  end,
  error = function(body, pattern)
    local ok, message = native.try(body)
    if ok then
      fail('expected an error, but there was none')
    elseif pattern and not string.find(message, pattern) then
      fail('expected an error that matches ' .. show(pattern) .. ', got ' .. show(message))
    end
  end,
  effects = function(expected, effects, note)
    if type(effects) ~= 'table' or type(expected) ~= 'string' and type(expected) ~= 'table' then
      fail("assert.effects takes names or a list of effects, then the effects: assert.effects('bind reply', effects)")
    end
    local is_list, actual = type(expected) == 'table', names_of(effects)
    local names = is_list and names_of(expected) or expected
    local lines = {}
    if names ~= actual then
      lines[1] = 'expected the effects ' .. show(names) .. ', got ' .. show(actual)
      lines[2] = not is_list and show(effects) or nil
    end
    if is_list then
      compare_part(expected, effects, '', lines)
    end
    if #lines > 0 then
      fail_with(note, lines)
    end
  end,
}, {
  __call = function(_, value, message, ...)
    if not value then
      fail(message or 'assertion failed')
    end
    return value, message, ...
  end,
})

-- 4. Scripts and the store.

-- `effects.reply` is the first effect of that name.
local by_name = {
  __index = function(effects, name)
    for _, effect in ipairs(effects) do
      if effect.name == name then
        return effect
      end
    end
  end,
}

function run(name, arguments)
  return setmetatable(native.run(name, arguments or {}), by_name)
end

function follow(effect)
  if type(effect) ~= 'table' or effect.name ~= 'call' then
    fail('follow takes a call effect, not ' .. show(effect))
  end
  local arguments = { uid = effect.uid }
  for name, value in pairs(effect.args) do
    arguments[name] = value
  end
  return run(effect.script, arguments)
end

function published()
  local messages = native.published()
  for _, message in ipairs(messages) do
    setmetatable(message.effects, by_name)
  end
  return messages
end

function defaults(values)
  for name, value in pairs(values) do
    native.default(name, value)
  end
end

redis = {
  call = function(command, ...)
    if type(command) == 'string' and string.upper(command) == 'FLUSHALL' then
      fail('FLUSHALL would empty every database of a server; FLUSHDB empties that of the test')
    end
    return native.call(command, ...)
  end,
}
clock = {
  now = native.now,
  set = native.set_clock,
  tick = native.tick,
  advance = function(ms)
    native.set_clock(native.now() + ms)
  end,
}
store = { copy = native.copy, fall_back = native.fall_back, digest = native.digest }
key, json, given_version, pcall = native.key, native.json, native.version, native.try

-- Standard output belongs to the report.
function print(...)
  local words = { ... }
  for i = 1, select('#', ...) do
    words[i] = tostring(words[i])
  end
  native.print(table.concat(words, '\t'))
end

local readers = {
  string = function(name) return redis.call('GET', name) end,
  list = function(name) return redis.call('LRANGE', name, 0, -1) end,
  zset = function(name) return redis.call('ZRANGE', name, 0, -1, 'WITHSCORES') end,
  hash = function(name)
    local flat, hash = redis.call('HGETALL', name), {}
    for i = 1, #flat, 2 do
      hash[flat[i]] = flat[i + 1]
    end
    return hash
  end,
}

-- The generator of the C library belongs to the whole process, so every test has one of its own: that of Park and Miller.
local drawn
local function draw()
  drawn = drawn * 16807 % 2147483647
  return (drawn - 1) / 2147483646
end

function math.randomseed(seed)
  drawn = seed % 2147483646 + 1
  -- The first numbers of neighbouring seeds are neighbours.
  for _ = 1, 4 do draw() end
end

function math.random(low, high)
  local fraction = draw()
  if not low then
    return fraction
  elseif not high then
    low, high = 1, low
  end
  if low > high then
    fail('math.random takes a range in which there is a number')
  end
  return low + math.floor(fraction * (high - low + 1))
end
math.randomseed(native.seed)

-- The n-th session id of a test; ids with a greater n are younger.
function sid(n)
  return string.format('01900000-0000-7000-8000-%012d', n)
end

-- What a key holds, as a Lua value; nil where there is none.
function read(name)
  local reader = readers[redis.call('TYPE', name).ok]
  return reader and reader(name) or nil
end

-- All that is stored, by key.
function state()
  local all = {}
  for _, name in ipairs(redis.call('KEYS', '*')) do
    all[name] = read(name)
  end
  return all
end

-- 5. What a test has no business with.

for _, name in ipairs({ 'collectgarbage', 'coroutine', 'dofile', 'gcinfo', 'getfenv', 'load', 'loadfile', 'loadstring',
  'newproxy', 'setfenv', 'xpcall' }) do
  _G[name] = nil
end
setmetatable(_G, {
  __index = function(_, name)
    fail('nothing is called `' .. tostring(name) .. '`')
  end,
  __newindex = function(_, name)
    fail('`' .. tostring(name) .. '` would be global; write local ' .. tostring(name))
  end,
})

return {
  count = function()
    return #tests
  end,
  describe = function(index)
    local test = tests[index]
    return test.name, test.line, test.claim
  end,
  run = function(index)
    prepare(tests[index].group)
    tests[index].body()
  end,
}
