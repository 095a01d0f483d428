-- The sandbox of scripts: which globals exist, that they cannot be changed, and how errors are caught.
-- Stock Lua has no read-only tables. A protected table is an empty proxy that reads from the real one and refuses
-- writes; the raw functions know proxies, so that no script gets around them.
local native = ...
local error, type, tostring, select = error, type, tostring, select
local next, rawget, rawset, setmetatable, getmetatable = next, rawget, rawset, setmetatable, getmetatable
local pcall, xpcall, loadstring, load, ipairs = pcall, xpcall, loadstring, load, ipairs
local byte, resume = string.byte, coroutine.resume
local translate, origin = native.translate, native.origin

local READONLY = 'Attempt to modify a readonly table'
local real_of = {}

local function refuse()
  error(READONLY, 2)
end

local function protect(real)
  local proxy = {}
  real_of[proxy] = real
  setmetatable(proxy, { __index = real, __newindex = refuse })
  return proxy
end

local function type_name(...)
  if select('#', ...) == 0 then
    return 'no value'
  end
  return type((...))
end

-- Raises what a C function would about its first argument, at the place of its caller.
local function check_table(name, ...)
  if type((...)) ~= 'table' then
    error("bad argument #1 to '" .. name .. "' (table expected, got " .. type_name(...) .. ')', 3)
  end
end

local guarded = {}

function guarded.rawset(t, k, v)
  if real_of[t] then
    error(READONLY, 0)
  end
  return rawset(t, k, v)
end

function guarded.rawget(t, k)
  return rawget(real_of[t] or t, k)
end

function guarded.setmetatable(t, meta)
  if real_of[t] then
    error(READONLY, 0)
  end
  check_table('setmetatable', t)
  return setmetatable(t, meta)
end

local metatables = {}

function guarded.getmetatable(object)
  if type(object) == 'string' then
    return metatables.string
  end
  if real_of[object] then
    return metatables[object]
  end
  return getmetatable(object)
end

function guarded.next(t, k)
  check_table('next', t)
  return next(real_of[t] or t, k)
end

function guarded.pairs(...)
  check_table('pairs', ...)
  local t = ...
  return next, real_of[t] or t, nil
end

-- Compiles text; byte code is refused, since it could break the interpreter.
local function compile(text, name)
  if byte(text, 1) == 27 then
    return nil, (name or 'chunk') .. ":1: unexpected symbol near char(27)"
  end
  return loadstring(text, name)
end

function guarded.loadstring(text, name)
  if type(text) ~= 'string' then
    return loadstring(text, name)
  end
  return compile(text, name)
end

function guarded.load(reader, name)
  if type(reader) ~= 'function' then
    return load(reader, name)
  end
  local parts = {}
  while true do
    local part = reader()
    if part == nil or part == '' then
      break
    end
    if type(part) ~= 'string' then
      return nil, 'reader function must return a string'
    end
    parts[#parts + 1] = part
  end
  return compile(table.concat(parts), name or '=(load)')
end

local function caught_resume(ok, e, ...)
  if ok then
    return ok, e, ...
  end
  local value, fatal = translate(e)
  if fatal then
    error(e, 0)
  end
  return false, value
end

-- As Redis does, pcall gives the text of a command's error instead of its table.
local function caught_pcall(ok, e, ...)
  if ok then
    return ok, e, ...
  end
  local value, fatal = translate(e)
  if fatal then
    error(e, 0)
  end
  if type(value) == 'table' and type(rawget(value, 'err')) == 'string' then
    value = rawget(value, 'err')
  end
  return false, value
end

function guarded.pcall(...)
  if select('#', ...) == 0 then
    error("bad argument #1 to 'pcall' (value expected)", 2)
  end
  return caught_pcall(pcall(...))
end

function guarded.xpcall(...)
  if select('#', ...) < 2 then
    error("bad argument #2 to 'xpcall' (value expected)", 2)
  end
  local f, handler = ...
  return caught_resume(xpcall(f, function(e)
    local value, fatal = translate(e)
    if fatal then
      return e
    end
    return handler(value)
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
  'type', 'unpack',
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
string.gfind = string.gfind or string.gmatch
math.random, math.randomseed = native.random, native.randomseed
math.mod = math.mod or math.fmod
for name, library in next, libraries do
  globals[name] = protect(library)
end

setmetatable(globals, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})
globals._G = protect(globals)
metatables[globals._G] = protect({ __index = globals._G, __newindex = refuse })
metatables.string = protect({ __index = globals.string })

-- Runs in the place where the error was raised, while its stack can still be read.
local function on_error(e)
  local value, fatal = translate(e)
  if fatal then
    return e
  end
  local source, line = origin()
  local text, counted = value, false
  if type(value) == 'table' then
    text, counted = rawget(value, 'err'), rawget(value, 'ignore_error_stats_update')
    if type(text) ~= 'string' then
      text = 'ERR unknown error'
    end
  else
    text = 'ERR ' .. tostring(value)
  end
  return { text, source, line, counted == true }
end

return globals, globals._G, function(f)
  return xpcall(f, on_error)
end
