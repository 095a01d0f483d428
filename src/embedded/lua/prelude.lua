-- The sandbox of scripts: which globals exist, that they cannot be changed, and how errors are caught.
-- Stock Lua has no read-only tables. A protected table is an empty proxy that reads from the real one and refuses
-- writes; the raw functions know proxies, so that no script gets around them.
local native = ...
local error, type, tostring, select = error, type, tostring, select
local next, rawget, setmetatable, getmetatable = next, rawget, setmetatable, getmetatable
local pcall, xpcall, loadstring, load, ipairs = pcall, xpcall, loadstring, load, ipairs
local byte, find, gsub, foreach = string.byte, string.find, string.gsub, table.foreach
local resume, wrap, tonumber, unpack = coroutine.resume, coroutine.wrap, tonumber, unpack
local translate, origin, complain = native.translate, native.origin, native.complain

-- How a message begins that names a place in here.
local SANDBOX = '^%[sandbox%]:%d+: '
local real_of = {}

local function refuse()
  error('Attempt to modify a readonly table', 2)
end

local function protect(real)
  local proxy = {}
  real_of[proxy] = real
  setmetatable(proxy, { __index = real, __newindex = refuse, protected = true })
  return proxy
end

local guarded = native.guarded(real_of, next, table.insert)
table.insert, guarded.insert = guarded.insert, nil
local metatables = {}

-- The first argument of a function, or what a C function says of a wrong one.
local function check(name, expected, ...)
  local got = select('#', ...) == 0 and 'no value' or type((...))
  if got ~= expected then
    complain("bad argument #1 to '" .. name .. "' (" .. expected .. ' expected, got ' .. got .. ')')
  end
end

function guarded.getmetatable(...)
  local object = ...
  if type(object) == 'string' then
    return metatables.string
  elseif real_of[object] then
    return metatables[object]
  elseif select('#', ...) == 0 then
    complain("bad argument #1 to 'getmetatable' (value expected)")
  end
  return getmetatable(object)
end

-- Lua would crash where the number of results is beyond an int.
function guarded.unpack(...)
  local t, first, last = ...
  check('unpack', 'table', ...)
  if first ~= nil or last ~= nil then
    local wrong = first ~= nil and not tonumber(first) and 2 or last ~= nil and not tonumber(last) and 3
    if wrong then
      complain("bad argument #" .. wrong .. " to 'unpack' (number expected, got " .. type((select(wrong, ...))) .. ')')
    elseif (tonumber(last) or #t) - (tonumber(first) or 1) > 1e9 then
      complain('too many results to unpack')
    end
  end
  return unpack(...)
end

-- Byte code is refused, since it could break the interpreter. Another byte that no text may begin with takes the place
-- of its first one, so that the compiler says what one that knows only text would say.
local function refuse_binary(_, message)
  return nil, (gsub(message, "'%?'$", "'char(27)'"))
end

function guarded.loadstring(...)
  local text, name = ...
  if type(text) ~= 'number' then
    check('loadstring', 'string', ...)
    if byte(text, 1) == 27 then
      return refuse_binary(loadstring('?', name or text))
    end
  end
  return loadstring(...)
end

-- An error as the script may see it; a position inside of the sandbox becomes that of the script.
local function visible(e)
  local value, fatal = translate(e)
  if fatal then
    error(e, 0)
  end
  if type(value) == 'string' and find(value, SANDBOX) then
    value = gsub(value, SANDBOX, (origin()))
  end
  return value
end

function guarded.load(...)
  check('load', 'function', ...)
  local reader = ...
  local begun, is_binary
  local f, message = load(function()
    local piece = reader()
    if not begun and type(piece) == 'string' and piece ~= '' then
      begun, is_binary = true, byte(piece, 1) == 27
      return is_binary and '?' or piece
    end
    return not is_binary and piece or nil
  end, select(2, ...))
  if is_binary then
    return refuse_binary(f, message)
  elseif f then
    return f
  end
  return nil, visible(message)
end

local function caught_resume(ok, e, ...)
  if ok then
    return ok, e, ...
  end
  return false, visible(e)
end

-- Each coroutine on the way puts the place of its caller in front of a text.
local function caught_wrap(ok, e, ...)
  if ok then
    return e, ...
  end
  local value = visible(e)
  if type(value) == 'string' then
    value = origin() .. value
  end
  error(value, 0)
end

-- As Redis does, pcall gives the text of a command's error instead of its table.
local function caught_pcall(ok, e, ...)
  if ok then
    return ok, e, ...
  end
  local value = visible(e)
  if type(value) == 'table' then
    local text = value.err
    if type(text) == 'string' or type(text) == 'number' then
      return false, text
    end
    return false, value, text
  end
  return false, value
end

function guarded.pcall(...)
  if select('#', ...) == 0 then
    -- Redis puts a boolean on the stack first, and calls that.
    return false, 'attempt to call a boolean value'
  end
  return caught_pcall(pcall(...))
end

function guarded.xpcall(...)
  if select('#', ...) < 2 then
    complain("bad argument #2 to 'xpcall' (value expected)")
  end
  local f, handler = ...
  return caught_resume(xpcall(f, function(e)
    local value, fatal = translate(e)
    if fatal then
      return e
    end
    return handler(visible(e))
  end))
end

local function copy(source, names)
  local result = {}
  for _, name in ipairs(names) do
    result[name] = source[name]
  end
  return result
end

local globals = copy(_G, {
  '_VERSION', 'assert', 'collectgarbage', 'error', 'gcinfo', 'ipairs', 'rawequal', 'select', 'tonumber', 'tostring',
  'type',
})
for name, f in next, guarded do
  globals[name] = f
end

local libraries = {
  bit = native.bit,
  cjson = native.cjson,
  cmsgpack = native.cmsgpack,
  redis = native.redis,
  struct = native.struct,
  coroutine = coroutine,
  math = math,
  os = { clock = os.clock },
  string = string,
  table = table,
}
coroutine.resume = function(...)
  return caught_resume(resume(...))
end
coroutine.wrap = function(...)
  local resumed = wrap(...)
  return function(...)
    return caught_wrap(pcall(resumed, ...))
  end
end
table.foreach = function(t, f)
  return foreach(real_of[t] or t, f)
end
string.gfind = string.gfind or string.gmatch
math.random, math.randomseed = native.random, native.randomseed
math.mod = math.mod or math.fmod
for name, library in next, libraries do
  globals[name] = protect(library)
end

setmetatable(globals, {
  __index = function(_, name)
    name = gsub(tostring(name), '%z.*', '')
    error("Script attempted to access nonexistent global variable '" .. name .. "'", 2)
  end,
})
globals._G = protect(globals)
metatables[globals._G] = protect({ __index = globals._G })
metatables.string = protect({ __index = globals.string })

-- Runs in the place where the error was raised, while its stack can still be read.
local function on_error(e)
  local value, fatal = translate(e)
  if fatal then
    return e
  end
  local where, source, line = origin()
  local failure = { source = source, line = line }
  if type(value) == 'table' then
    failure.err, failure.ignore_error_stats_update = value.err, value.ignore_error_stats_update
    if type(failure.err) == 'number' then
      failure.err = tostring(failure.err)
    end
  else
    failure.err = 'ERR ' .. gsub(tostring(value), SANDBOX, where)
  end
  return failure
end

return globals, globals._G, guarded.loadstring, xpcall, on_error
