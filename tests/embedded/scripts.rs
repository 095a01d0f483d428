//! Scripts: conversions, errors, the sandbox, the cache.

use crate::store::{Kind, assert_reply, both, check, check_scripts};

/// The tail of an error reply, after whatever the script's digest is.
fn strip_tail(reply: &str) -> String {
    match (reply.find(" script: "), reply.find(", on ")) {
        (Some(from), Some(to)) => format!("{}{}", &reply[..from], &reply[to..]),
        _ => reply.to_string(),
    }
}

pub fn check_errors(table: &[(&str, &str)]) {
    both(|store| {
        let mut client = store.client();
        for (script, expected) in table {
            assert_reply(store.kind, script, &strip_tail(&client.eval(script)), expected);
        }
    });
}

#[test]
fn lua_values_become_replies() {
    check_scripts(&[
        ("return 1.9", ":1"),
        ("return -1.9", ":-1"),
        ("return 1e300", ":-9223372036854775808"),
        ("return 0/0", ":-9223372036854775808"),
        ("return true", ":1"),
        ("return false", "nil"),
        ("return nil", "nil"),
        ("", "nil"),
        ("return {1,2,nil,4}", "[:1, :2]"),
        ("return {nil,1}", "[]"),
        ("return {ok='FINE'}", "+FINE"),
        ("return {err='MY fault'}", "-MY fault"),
        ("return {ok='a',err='B c'}", "-B c"),
        ("return {ok=1}", "[]"),
        ("return {double=3.5}", "\"3.5\""),
        ("return {map={a=1}}", "[\"a\", :1]"),
        ("return {set={a=true}}", "[\"a\"]"),
        ("return {big_number='123'}", "\"123\""),
        ("return {verbatim_string={format='txt',string='x'}}", "\"x\""),
        ("return {1,{2,{3}},'x'}", "[:1, [:2, [:3]], \"x\"]"),
        ("return {1,function() end,2}", "[:1, nil, :2]"),
        ("return cjson.null", "nil"),
        ("return 1,2", ":1"),
        ("return {ok='a\\r\\nb'}", "+a  b"),
        ("return redis.error_reply('x y')", "-x y"),
        ("return redis.error_reply('-x y')", "-x y"),
        ("return redis.error_reply('single')", "-ERR single"),
        ("return redis.status_reply('FINE')", "+FINE"),
        ("return redis.error_reply({})", "-ERR wrong number or type of arguments"),
    ]);
}

#[test]
fn replies_become_lua_values() {
    check_scripts(&[
        ("return redis.call('get','none') == false", ":1"),
        ("return redis.call('set','a','1').ok", "\"OK\""),
        ("return type(redis.call('exists','a'))", "\"number\""),
        ("redis.call('hset','h','f','v') return redis.call('hgetall','h')", "[\"f\", \"v\"]"),
        ("redis.setresp(3) return redis.call('hgetall','h').map.f", "\"v\""),
        ("redis.setresp(3) return redis.call('get','none') == nil", ":1"),
        ("redis.call('zadd','z',1.5,'m') return redis.call('zscore','z','m')", "\"1.5\""),
        ("redis.setresp(3) return tostring(redis.call('zscore','z','m').double)", "\"1.5\""),
        ("redis.call('sadd','s','m') redis.setresp(3) return tostring(redis.call('smembers','s').set.m)", "\"true\""),
        ("return redis.pcall('incr','h').err", "\"WRONGTYPE Operation against a key holding the wrong kind of value\""),
        ("redis.setresp(3) return false", ":0"),
        ("return redis.call('echo', 1e15)", "\"1000000000000000\""),
        ("return redis.call('echo', 0.1)", "\"0.1\" | \"0.10000000000000001\""),
        ("return redis.call('echo', 2^53)", "\"9007199254740992\""),
        ("return tostring(2^53)", "\"9.007199254741e+15\""),
        ("return tostring(1700000000123)", "\"1700000000123\""),
    ]);
}

#[test]
fn errors_say_what_and_where() {
    check_errors(&[
        ("error('boom')", "-ERR user_script:1: boom, on @user_script:1."),
        ("error('x',0)", "-ERR x, on @user_script:1."),
        ("error()", "-ERR nil, on @user_script:1."),
        ("error({err='MY boom'})", "-MY boom, on @user_script:1."),
        (
            "\n\nlocal x = nil + 1",
            "-ERR user_script:3: attempt to perform arithmetic on a nil value, on @user_script:3.",
        ),
        ("return redis.call('nope')", "-ERR Unknown Redis command called from script, on @user_script:1."),
        (
            "\nreturn redis.call('get')",
            "-ERR Wrong number of args calling Redis command from script, on @user_script:2.",
        ),
        (
            "return redis.call()",
            "-ERR Please specify at least one argument for this redis lib call, on @user_script:1.",
        ),
        (
            "return redis.call('get', {})",
            "-ERR Lua redis lib command arguments must be strings or integers, on @user_script:1.",
        ),
        ("return redis.call('multi')", "-ERR This Redis command is not allowed from script, on @user_script:1."),
        (
            "redis.call('set','s','x') return redis.call('incr','s')",
            "-ERR value is not an integer or out of range, on @user_script:1.",
        ),
        (
            "return redis.call('lpush','s','x')",
            "-WRONGTYPE Operation against a key holding the wrong kind of value, on @user_script:1.",
        ),
        ("return redis.pcall('lpush','s','x')", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        (
            "local r = redis.pcall('lpush','s','x') error(r)",
            "-WRONGTYPE Operation against a key holding the wrong kind of value, on @user_script:1.",
        ),
        (
            "local ok, e = pcall(redis.call,'get') return {tostring(ok), e}",
            "[\"false\", \"ERR Wrong number of args calling Redis command from script\"]",
        ),
        ("assert(false,'m')", "-ERR user_script:1: m, on @user_script:1."),
        ("syntax error", "-ERR Error compiling script (new function): user_script:1: '=' expected near 'error'"),
        ("local function f() return f() + 1 end return f()", "-ERR user_script:1: stack overflow*"),
        ("return unpack({}, 1, 9000)", "-ERR user_script:1: too many results to unpack, on @user_script:1."),
    ]);
}

#[test]
fn the_sandbox_is_that_of_redis() {
    check_errors(&[
        (
            "return foo",
            "-ERR user_script:1: Script attempted to access nonexistent global variable 'foo', on @user_script:1.",
        ),
        ("return print", "-ERR user_script:1: Script attempted to access nonexistent global variable 'print'*"),
        ("return require", "-ERR user_script:1: Script attempted to access nonexistent global variable 'require'*"),
        ("foo = 1", "-ERR user_script:1: Attempt to modify a readonly table, on @user_script:1."),
        ("KEYS = {}", "-ERR user_script:1: Attempt to modify a readonly table, on @user_script:1."),
        ("KEYS[1] = 'z' return KEYS[1]", "\"z\""),
        ("redis.call = function() end", "-ERR user_script:1: Attempt to modify a readonly table, on @user_script:1."),
        ("string.x = 1", "-ERR user_script:1: Attempt to modify a readonly table, on @user_script:1."),
        ("getmetatable('').__index = 1", "-ERR user_script:1: Attempt to modify a readonly table, on @user_script:1."),
        ("rawset(_G,'x',1)", "-ERR Attempt to modify a readonly table, on @user_script:1."),
        ("setmetatable(_G,{})", "-ERR Attempt to modify a readonly table, on @user_script:1."),
        ("function f() end", "-ERR user_script:1: Attempt to modify a readonly table, on @user_script:1."),
        ("return rawget(_G,'foo')", "nil"),
        ("return redis.nosuch", "nil"),
        ("return loadstring(string.dump(function() end))", "nil"),
        ("return loadstring('return 5')()", ":5"),
        ("local n = 0 for k in pairs(string) do n = n + 1 end return n", ":15"),
        ("return type(next(_G))", "\"string\""),
        ("return ('x'):rep(3)", "\"xxx\""),
        ("local x = pairs(nil)", "-ERR user_script:1: bad argument #1 to 'pairs' (table expected, got nil)*"),
        ("return tostring(math.random())", "\"0.39646477363839\""),
        ("return tostring(math.random())", "\"0.84048536971234\""),
        ("math.randomseed(7) return {math.random(1000), math.random(1000), math.random(1000)}", "[:267, :683, :266]"),
        (
            "return math.random(0)",
            "-ERR user_script:1: bad argument #1 to 'random' (interval is empty), on @user_script:1.",
        ),
        (
            "return type(os)",
            "\"table\" | -ERR user_script:1: Script attempted to access nonexistent global variable 'os', on @user_script:1.",
        ),
        ("local co = coroutine.wrap(function() coroutine.yield(redis.call('ping').ok) end) return co()", "\"PONG\""),
        ("return redis.sha1hex('')", "\"da39a3ee5e6b4b0d3255bfef95601890afd80709\""),
        ("return {redis.LOG_WARNING, redis.REPL_ALL}", "[:3, :3]"),
        ("return redis.acl_check_cmd('set','x','1')", ":1"),
        ("return redis.log(1)", "-ERR redis.log() requires two arguments or more.*"),
    ]);
}

#[test]
fn cjson_is_lua_cjson() {
    check_errors(&[
        ("return cjson.encode({})", "\"{}\""),
        ("return cjson.encode(cjson.decode('[]'))", "\"{}\""),
        ("return cjson.encode({1,2,3})", "\"[1,2,3]\""),
        ("return cjson.encode({[1]=1,[3]=3})", "\"[1,null,3]\""),
        (
            "return cjson.encode({[1]=1,[11]=1})",
            "-ERR user_script:1: Cannot serialise table: excessively sparse array*",
        ),
        ("return cjson.encode({[1.5]=1})", "\"{\"1.5\":1}\""),
        (
            "return cjson.encode({[true]=1})",
            "-ERR user_script:1: Cannot serialise boolean: table key must be a number or string*",
        ),
        ("return cjson.encode('a/b\\\"\\n\\127')", "\"\"a\\/b\\\"\\n\\u007f\"\""),
        ("return cjson.encode(2^53)", "\"9.007199254741e+15\""),
        ("return cjson.encode(1700000000123)", "\"1700000000123\""),
        ("return cjson.encode(0.1)", "\"0.1\""),
        ("return cjson.encode(0/0)", "-ERR user_script:1: Cannot serialise number: must not be NaN or Inf*"),
        ("return cjson.decode('{\"a\":[1,2,{\"b\":null}]}').a[2]", ":2"),
        ("return tostring(cjson.decode('[null]')[1] == cjson.null)", "\"true\""),
        ("return cjson.decode('\"\\\\ud83d\\\\ude00\"')", "\"😀\""),
        ("return cjson.decode('')", "-ERR user_script:1: Expected value but found T_END at character 1*"),
        (
            "return cjson.decode('{x')",
            "-ERR user_script:1: Expected object key string but found invalid token at character 2*",
        ),
        ("return cjson.decode('1 2')", "-ERR user_script:1: Expected the end but found T_NUMBER at character 3*"),
        (
            "local t = {} t[1] = t return cjson.encode(t)",
            "-ERR user_script:1: Cannot serialise, excessive nesting (1001)*",
        ),
        (
            "return cjson.decode(string.rep('[',1001))",
            "-ERR user_script:1: Found too many nested data structures (1001) at character 1001*",
        ),
        ("return tostring(cjson.decode('[1e3]')[1])", "\"1000\""),
        ("local c = cjson.new() c.encode_number_precision(3) return c.encode(3.14159)", "\"3.14\""),
    ]);
}

#[test]
fn cmsgpack_struct_and_bit_answer_as_in_redis() {
    check_errors(&[
        ("return struct.pack('>I2c3b', 258, 'abcd', -1)", "\"\u{1}\u{2}abc\u{fffd}\""),
        ("return {struct.unpack('<i4s', '\\1\\0\\0\\0abc\\0')}", "[:1, \"abc\", :9]"),
        ("return struct.size('!8 b d')", ":16"),
        (
            "return redis.sha1hex(cmsgpack.pack({1,2,{a=1}}, 'x', 1.5, 300, -5, true))",
            "\"d31433e49bbb49b48b65353765fc29d7dbf30f4e\"",
        ),
        ("return cmsgpack.unpack(cmsgpack.pack({1,{a='x'}}))[2].a", "\"x\""),
        ("return {cmsgpack.unpack_one(cmsgpack.pack(1,2), 1)}", "[:-1, :2]"),
        (
            "return {bit.band(255, 15), bit.bor(1,2), bit.bxor(3,1), bit.bnot(0), bit.lshift(1,31), bit.arshift(-8,1)}",
            "[:15, :3, :2, :-1, :-2147483648, :-4]",
        ),
        ("return bit.tohex(255,-4)", "\"00FF\""),
        (
            "return {bit.rol(0x12345678, 12), bit.bswap(0x12345678), bit.tobit(0xffffffff)}",
            "[:1164411171, :2018915346, :-1]",
        ),
    ]);
}

#[test]
fn scripts_are_cached_by_digest() {
    check(&[
        ("EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0", "-NOSCRIPT No matching script. Please use EVAL."),
        ("SCRIPT LOAD \"return 1\"", "\"e0e1f9fabfc9d4800c877a703b823ac0578ff8db\""),
        ("EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0", ":1"),
        ("SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db x", "[:1, :0]"),
        ("FLUSHALL", "+OK"),
        ("EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0", ":1"),
        ("SCRIPT FLUSH", "+OK"),
        ("EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0", "-NOSCRIPT*"),
        ("SCRIPT FLUSH NOPE", "-ERR SCRIPT FLUSH only support SYNC|ASYNC option"),
        ("SCRIPT KILL", "-NOTBUSY No scripts in execution right now."),
        ("SCRIPT NOPE", "-ERR unknown subcommand 'NOPE'. Try SCRIPT HELP."),
        ("SCRIPT", "-ERR wrong number of arguments for 'script' command"),
        ("SCRIPT LOAD", "-ERR wrong number of arguments for 'script|load' command"),
        ("EVAL \"return 1\" x", "-ERR value is not an integer or out of range"),
        ("EVAL \"return 1\" 2 a", "-ERR Number of keys can't be greater than number of args"),
        ("EVAL \"return 1\" -1", "-ERR Number of keys can't be negative"),
        ("EVAL \"return {KEYS[1],ARGV[1],#KEYS,#ARGV}\" 1 k v w", "[\"k\", \"v\", :1, :2]"),
        ("EVAL_RO \"return redis.call('get','a')\" 0", "nil"),
        (
            "EVAL_RO \"return redis.pcall('set','a','1')\" 0",
            "-ERR Write commands are not allowed from read-only scripts.",
        ),
    ]);
}

#[test]
fn flags_in_the_first_line_are_obeyed() {
    check_errors(&[
        ("#!lua\nreturn 1", ":1"),
        (
            "#!lua flags=no-writes\nreturn redis.call('set','a','1')",
            "-ERR Write commands are not allowed from read-only scripts., on @user_script:2.",
        ),
        ("#!lua flags=nope\nreturn 1", "-ERR Unexpected flag in script shebang: nope"),
        ("#!lua nope=1\nreturn 1", "-ERR Unknown lua shebang option: nope=1"),
        ("#!python\nreturn 1", "-ERR Unexpected engine in script shebang: #!python"),
        ("#!lua", "-ERR Invalid script shebang"),
    ]);
}

#[test]
fn time_stands_still_inside_a_script() {
    both(|store| {
        let mut client = store.client();
        let script = "redis.call('set','k','v','px',20) local t = redis.call('time') local n = 0 \
                      while n < 3000000 do n = n + 1 end \
                      local u = redis.call('time') \
                      return {redis.call('get','k'), t[1] == u[1] and t[2] == u[2]}";
        let reply = client.eval(script);
        let expected = if store.kind == Kind::Embedded { "[\"v\", :1]" } else { "[\"v\", nil]" };
        assert_eq!(reply, expected);
    });
}

#[test]
fn an_error_undoes_nothing() {
    check(&[
        ("EVAL \"redis.call('set','a',1) redis.call('incr','a') error('x')\" 0", "-ERR user_script:1: x*"),
        ("GET a", "\"2\""),
    ]);
}
