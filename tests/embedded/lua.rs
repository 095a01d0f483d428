//! Lua inside of scripts: what may not be written, what errors say, what the libraries do at their edges.

use oneseat::embedded::{Engine, EngineOptions, Reply};

use crate::scripts::check_errors;

#[test]
fn nothing_writes_into_a_protected_table() {
    const READONLY: &str = "-ERR Attempt to modify a readonly table, on @user_script:1.";
    const PLACED: &str = "-ERR user_script:1: Attempt to modify a readonly table, on @user_script:1.";
    check_errors(&[
        ("table.insert(redis, 1)", READONLY),
        ("table.insert(string, 1, 2)", READONLY),
        ("table.insert(_G, 'x')", READONLY),
        ("table.insert(getmetatable(''), 1)", READONLY),
        ("rawset(redis, 'x', 1)", READONLY),
        ("rawset(getmetatable(''), '__index', 1)", READONLY),
        ("setmetatable(string, {})", READONLY),
        ("setmetatable(_G, nil)", READONLY),
        ("_G._G.redis.x = 1", PLACED),
        ("math.random = 1", PLACED),
        ("getmetatable(_G).__index = nil", PLACED),
        ("local _, t = pairs(_G) t.x = 1", PLACED),
        ("local _, t = pairs(redis) t.x = 1", PLACED),
        ("for k in next, redis do redis[k] = nil end", PLACED),
        ("loadstring('x = 1', '=y')()", "-ERR y:1: Attempt to modify a readonly table, on =y:1."),
        ("coroutine.wrap(function() x = 1 end)()", "-ERR user_script:1: user_script:1: Attempt to modify*"),
        ("table.remove(redis) table.sort(redis) return #redis + #_G", ":0"),
        ("for i, v in ipairs(redis) do return v end return 'none'", "\"none\""),
        ("local n = 0 for k, v in next, redis do n = n + 1 end return n > 20", ":1"),
        ("local n = {} for k in pairs(getmetatable(_G)) do n[#n + 1] = k end return n", "[\"__index\"]"),
        ("return tostring(getmetatable('').__index == string)", "\"true\""),
        ("return tostring(_G == _G._G and redis == _G.redis)", "\"true\""),
        (
            "return cjson.encode(string)",
            "-ERR user_script:1: Cannot serialise function: type not supported, on @user_script:1.",
        ),
    ]);
}

#[test]
fn wrong_arguments_are_named_at_the_place_of_the_call() {
    check_errors(&[
        (
            "return pairs(nil)",
            "-ERR user_script:1: bad argument #1 to 'pairs' (table expected, got nil), on @user_script:1.",
        ),
        ("\nreturn next()", "-ERR user_script:2: bad argument #1 to 'next' (table expected, got no value)*"),
        ("\nreturn rawset({}, 1)", "-ERR user_script:2: bad argument #3 to 'rawset' (value expected)*"),
        ("return rawset({}, nil, 1)", "-ERR table index is nil, on @user_script:1."),
        ("return setmetatable({})", "-ERR user_script:1: bad argument #2 to 'setmetatable' (nil or table expected)*"),
        (
            "return setmetatable(setmetatable({}, {__metatable = 1}), {})",
            "-ERR user_script:1: cannot change a protected metatable*",
        ),
        ("return getmetatable()", "-ERR user_script:1: bad argument #1 to 'getmetatable' (value expected)*"),
        ("return table.insert(nil, 1)", "-ERR user_script:1: bad argument #1 to 'insert' (table expected, got nil)*"),
        ("return table.insert({})", "-ERR user_script:1: wrong number of arguments to 'insert'*"),
        (
            "return table.insert({}, 'x', 1)",
            "-ERR user_script:1: bad argument #2 to 'insert' (number expected, got string)*",
        ),
        ("return loadstring({})", "-ERR user_script:1: bad argument #1 to 'loadstring' (string expected, got table)*"),
        ("return load(12)", "-ERR user_script:1: bad argument #1 to 'load' (function expected, got number)*"),
        ("return unpack(nil)", "-ERR user_script:1: bad argument #1 to 'unpack' (table expected, got nil)*"),
        ("\nlocal x = unpack({}, {})", "-ERR user_script:2: bad argument #2 to 'unpack' (number expected, got table)*"),
        (
            "\nlocal x = unpack({}, 1, 'x')",
            "-ERR user_script:2: bad argument #3 to 'unpack' (number expected, got string)*",
        ),
        ("return unpack({}, 0, 2147483647)", "-ERR user_script:1: too many results to unpack*"),
        ("return unpack({}, -2147483648, 2147483647)", "-ERR user_script:1: too many results to unpack*"),
        ("return xpcall(function() end)", "-ERR user_script:1: bad argument #2 to 'xpcall' (value expected)*"),
        ("return math.random(5, 1)", "-ERR user_script:1: bad argument #2 to 'random' (interval is empty)*"),
        ("return math.random(2^31)", "-ERR user_script:1: bad argument #1 to 'random' (interval is empty)*"),
    ]);
}

#[test]
fn caught_errors_are_what_redis_hands_out() {
    check_errors(&[
        ("return select('#', pcall(error, {1, 2}))", ":3"),
        ("return select('#', pcall(error, {err = 'x'}))", ":2"),
        ("return {pcall(error, {err = 5})}", "[nil, :5]"),
        ("return {pcall(error, 'x', 2)}", "[nil, \"user_script:1: x\"]"),
        ("return {pcall(function() error('x', 3) end)}", "[nil, \"user_script:1: x\"]"),
        ("return {pcall(pcall)}", "[:1, nil, \"attempt to call a boolean value\"]"),
        ("return {xpcall(function() redis.call('get') end, type)}", "[nil, \"table\"]"),
        (
            "local ok, e = coroutine.resume(coroutine.create(function() redis.call('get') end)) return type(e)",
            "\"table\"",
        ),
        (
            "coroutine.wrap(function() cjson.decode('x') end)()",
            "-ERR user_script:1: user_script:1: Expected value but found invalid token at character 1*",
        ),
        ("local function f(n) return pcall(f, n) end return f(1)", ":1"),
        ("local function f() local ok, e = pcall(f) return e end return f()", "\"C stack overflow\""),
        ("return tostring(redis.pcall('nope').ignore_error_stats_update)", "\"true\""),
        ("return redis.pcall().ignore_error_stats_update == nil", ":1"),
        ("error('x\\0y')", "-ERR user_script:1: x, on @user_script:1."),
        ("return redis.error_reply('\\r\\nx \\ny\\r\\n')", "-  x y"),
        ("return redis.error_reply('\\nx\\r\\n')", "-ERR x"),
        (
            "return {select(2, loadstring(string.dump(function() end), '@n'))}",
            "[\"n:1: unexpected symbol near 'char(27)'\"]",
        ),
        ("return {select(2, load(function() error('x') end))}", "[-ERR user_script:1: x]"),
        ("coroutine.yield()", "-ERR attempt to yield across metamethod/C-call boundary, on @user_script:1."),
    ]);
}

#[test]
fn the_libraries_agree_at_their_edges() {
    check_errors(&[
        ("return struct.size('z')", ":0"),
        ("return struct.size('c0')", "-ERR user_script:1: bad argument #1 to 'size' (option 'c0' has no fixed size)*"),
        ("return struct.pack('ii', 1)", "-ERR user_script:1: bad argument #3 to 'pack' (number expected, got nil)*"),
        ("return struct.pack('!3b', 1)", "-ERR user_script:1: alignment 3 is not a power of 2*"),
        ("return {struct.unpack('!4 b i3', struct.pack('!4 b i3', 1, 2))}", "[:1, :2, :7]"),
        ("return struct.pack('>i9', -3):byte(1)", ":0"),
        ("return struct.unpack('i9', '123456789')", ":-79"),
        ("return struct.unpack('c1c0', '3abc')", "\"abc\""),
        ("return {struct.unpack('i3i2', '\\255\\255\\255\\1\\0')}", "[:-1, :1, :6]"),
        ("return cjson.decode('+1')", ":1"),
        (
            "return {cjson.decode('0x1F'), cjson.decode('-0x10'), cjson.decode('0x1.8p3'), cjson.decode('0x.8p4')}",
            "[:31, :-16, :12, :8]",
        ),
        ("return tostring(cjson.decode('0x103.2'))", "\"259.125\""),
        ("return bit.band(1, {}, 'x')", "-ERR user_script:1: bad argument #3 to 'band' (number expected, got string)*"),
        ("return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2), 0, 0)}", "[:1, :2]"),
        (
            "return cmsgpack.unpack_limit('a', 0, -3)",
            "-ERR user_script:1: Invalid request to unpack with offset of -3 and limit of 1.*",
        ),
        ("return {cmsgpack.unpack('\\129\\192\\1')}", "-ERR table index is nil*"),
        ("redis.log('2', 'x')", "nil"),
        ("redis.setresp(3.5) return redis.call('get', 'none') == nil", ":1"),
        (
            "return redis.set_repl(99)",
            "-ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.*",
        ),
        ("return redis.acl_check_cmd('config')", ":1"),
        ("return {big_number = '1\\r\\n2'}", "\"1  2\""),
    ]);
}

#[test]
fn replies_have_any_length_and_one_meaning() {
    check_errors(&[
        ("return {big_number = '12', map = {a = 1}, set = {a = 1}}", "\"12\""),
        ("return {verbatim_string = {format = 'txt', string = 'v'}, map = {a = 1}}", "\"v\""),
        ("return {err = 'A\\nB\\r\\n'}", "-A B"),
        ("return {{err = '\\nA b\\n\\n'}}", "[- A b]"),
        ("return {ok = 'A\\n'}", "+A "),
        ("error('x', 3)", "-ERR x, on @user_script:1."),
        ("#! lua\nreturn 1", "-ERR Unexpected engine in script shebang: #!"),
        ("#!lua flags=no-writes,\nreturn 1", "-ERR Unexpected flag in script shebang: "),
        ("\x1bLua", "-ERR Error compiling script (new function): user_script:1: unexpected symbol near 'char(27)'"),
        ("return redis.call('echo', 5e18)", "\"5e+18\""),
        ("return redis.call('xread', 'block', 'x', 'streams', 'a', '0')", "-ERR *"),
        ("redis.call('rpush', 'many', unpack({1, 2, 3})) return redis.call('llen', 'many')", ":3"),
        ("return #redis.call('command', 'help') > 0 and #redis.call('slowlog', 'get') < 1000", ":1"),
    ]);
    let mut engine = Engine::new(EngineOptions::default());
    // Each of the values would take one of a few thousand places, were all held at the same time.
    for (script, length) in [
        ("local t = {} for i = 1, 20000 do t[i] = 'x' end return t", 20_000),
        ("local t = {} for i = 1, 20000 do t[i] = {'x'} end t.name = 1 return t", 20_000),
        ("local t = {} for i = 1, 7700 do t[i] = 'x' end return redis.call('mget', unpack(t))", 7_700),
    ] {
        let Reply::Array(items) = engine.execute(&[b"EVAL", script.as_bytes(), b"0"]) else { panic!("{script}") };
        assert_eq!(items.len(), length, "{script}");
    }
    let Reply::Array(items) = engine.execute(&[
        b"EVAL",
        b"local t = {} for i = 1, 900 do t[i] = 'x' end for i = 1, 50 do t = {t, unpack(t, 2)} end return t",
        b"0",
    ]) else {
        panic!("the reply is no array");
    };
    assert_eq!(items.len(), 900);
}

#[test]
fn scripts_may_be_many() {
    let mut engine = Engine::new(EngineOptions::default());
    for number in 0..9000 {
        let script = format!("return {number}");
        assert_eq!(engine.execute(&[b"EVAL", script.as_bytes(), b"0"]), Reply::Integer(number));
    }
    let Reply::Bulk(digest) = engine.execute(&[b"SCRIPT", b"LOAD", b"return 1"]) else { panic!("no digest") };
    assert_eq!(engine.execute(&[b"EVALSHA", &digest, b"0"]), Reply::Integer(1));
    assert_eq!(engine.execute(&[b"SCRIPT", b"FLUSH"]), Reply::Status("OK".into()));
    // What cannot be a digest is missing, whatever stands behind it.
    for request in [[b"EVALSHA", &*digest, b"0"], [b"EVALSHA", b"short", b"x"]] {
        let missing = engine.execute(&request);
        assert!(matches!(&missing, Reply::Error(text) if text.starts_with("NOSCRIPT")), "{missing:?}");
    }
    assert_eq!(engine.execute(&[b"EVAL", b"return 2", b"0"]), Reply::Integer(2));
    assert_eq!(engine.execute(&[b"EVAL", b"return 1", b"0"]), Reply::Integer(1));
}

#[test]
fn an_error_without_a_text_is_unknown() {
    let mut engine = Engine::new(EngineOptions::default());
    let Reply::Error(text) = engine.execute(&[b"EVAL", b"error({foo = 1})", b"0"]) else { panic!("it ended well") };
    assert!(text.starts_with("ERR unknown error script: "), "{text}");
}

#[test]
fn no_script_ends_the_process() {
    let mut engine = Engine::new(EngineOptions::default());
    for script in [
        "return string.rep('x', 1e9)",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = {} end",
        "return table.insert({}, -2147483648, 1)",
        "return ('x'):rep(6e8)",
    ] {
        let reply = engine.execute(&[b"EVAL", script.as_bytes(), b"0"]);
        let Reply::Error(text) = reply else { panic!("it ended well: {script}") };
        assert!(text.contains("not enough memory") || text.contains("out of bounds"), "{script}: {text}");
    }
    assert_eq!(engine.execute(&[b"EVAL", b"return 1", b"0"]), Reply::Integer(1));
}
