//! The lint: what it says against a script that was never run, and where.

use oneseat::offline::{Options, lint};
use oneseat::script::tree::Tree;

use crate::{ECHO, SAY, run};

/// What the lint says against `echo` with `body` as its line 11, each with its place.
fn said(body: &str) -> Vec<String> {
    said_of(&[("echo/v1.lua", &ECHO.replace("BODY", body)), ("lib/say.lua", SAY)])
}

fn said_of(files: &[(&str, &str)]) -> Vec<String> {
    lint::check(&Tree::of(files.iter().copied())).iter().map(ToString::to_string).collect()
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn the_shipped_scripts_have_no_problem() {
    let problems: Vec<_> = lint::check(&Tree::embedded()).iter().map(ToString::to_string).collect();
    assert_eq!(problems, none());
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_what_to_do_instead() {
    for (body, expected) in [
        ("found = 1", "`found` is written as a global, which Redis refuses; write `local found`"),
        ("local function f() found = 1 end f()", "`found` is written as a global"),
        ("local a = nosuch", "nothing is called `nosuch`; write `local nosuch`"),
        ("local f = function() return function() return nosuch end end f()", "nothing is called `nosuch`"),
        ("local t = os.time()", "`os.time` is not for scripts; allowed are clock"),
        ("io.write('x')", "`io` is not for scripts; answer by effects"),
        ("loadstring('x')()", "`loadstring` is not for scripts; code comes from files"),
        ("local g = _G", "`_G` is not for scripts; all names are locals"),
        ("local r = math.random(6)", "`math.random` differs from run to run; let the caller give"),
        ("string.format = nil", "`string` belongs to all scripts"),
        ("local f = redis[note]", "a field of `redis` is chosen as the script runs"),
        ("redis.setresp(3)", "`redis.setresp` is not for scripts; allowed are call,"),
        ("redis.call('keys', '*')", "KEYS touches keys that no header declares"),
        ("redis.pcall('FLUSHALL')", "FLUSHALL touches keys that no header declares"),
        ("redis.call('SPOP', seat_key)", "SPOP picks at random"),
        ("redis.call('BLPOP', seat_key, 0)", "BLPOP waits, and a script cannot"),
        ("redis.call('CONFIG', 'GET', 'x')", "CONFIG is about the server"),
        ("local t = redis.call('TIME')", "TIME is read by the helper `now_ms` alone"),
        ("redis.call(note, seat_key)", "the command is not certain here"),
        ("redis.call(uid == '1' and 'GET' or 'KEYS', seat_key)", "the command is not certain here"),
        ("local call = redis.call; call('KEYS', '*')", "`redis.call` is put aside; call it where it stands"),
        ("local ok = pcall(redis.call, 'KEYS', '*')", "`redis.call` is put aside"),
        ("local t = { redis.call }", "`redis.call` is put aside"),
        ("local call = redis.call; local function f() call('KEYS') end f()", "`redis.call` is put aside"),
        ("redis.call('GET', 'os:{0}:x')", "the key 'os:{0}:x' of GET is a text; declare keys with @key"),
        ("redis.call('GET', 'os:' .. uid)", "the key of GET is put together here; declare keys with @key"),
        ("redis.call('GET', seat_key .. ':x')", "the key `seat_key` becomes a part of another text"),
        ("local function f() return seat_key .. uid end f()", "the key `seat_key` becomes a part of another text"),
        ("local t = string.format('%s:x', seat_key)", "the key `seat_key` becomes a part of another text"),
        ("local keys = { seat = seat_key }; local k = keys.seat .. uid", "the key `keys.seat` becomes a part"),
    ] {
        let found = said(body);
        let start = format!("lua/echo/v1.lua:11: {expected}");
        assert!(found.iter().any(|line| line.starts_with(&start)), "{body}: {found:?} lacks {start}");
    }
}

#[test]
fn what_is_right_is_not_complained_about() {
    for body in [
        "local n = math.max(1, #uid); for i = 1, n do uid = string.rep(uid, i) end",
        "for _, field in ipairs(redis.call('HKEYS', seat_key)) do redis.call('HGET', seat_key, field .. 'x') end",
        "redis.call('PUBLISH', 'os:node:' .. uid, cjson.encode({ note = note }))",
        "local t = { uid, note, unpack({ 1, 2 }) }; local f = t.time; local g = t[note]",
        "local ok, message = pcall(function() return redis.call('HGETALL', seat_key) end)",
        "local text = uid == '1' and 'a' or 'b'; redis.call('HSET', seat_key, text, text .. uid)",
        "local t = {}; t.call = note; t.call = t.call .. note; local os_time = t.os",
        "redis.log(redis.LOG_WARNING, tostring(note), (select('#', uid, note)))",
    ] {
        assert_eq!(said(body), none(), "{body}");
    }
}

#[test]
fn a_problem_of_a_helper_is_told_once_in_its_own_file() {
    let say = SAY.replace("  return", "  local at = os.time()\n  return");
    let script = ECHO.replace("BODY", "");
    let other = script.replace("echo v1", "other v1");
    let found = said_of(&[("echo/v1.lua", &script), ("other/v1.lua", &other), ("lib/say.lua", &say)]);
    assert_eq!(found, ["lua/lib/say.lua:3: `os.time` is not for scripts; allowed are clock"]);
}

#[test]
fn a_helper_that_nobody_includes_is_told() {
    let idle = "-- idle: does nothing.\nlocal function idle() end\n";
    let found = said_of(&[("echo/v1.lua", &ECHO.replace("BODY", "")), ("lib/say.lua", SAY), ("lib/idle.lua", idle)]);
    assert_eq!(found, ["lua/lib/idle.lua:1: no script includes this helper; remove it, or @include it"]);
}

#[test]
fn the_helper_of_the_clock_may_read_it() {
    let clock = "-- now_ms: the time.\nlocal function now_ms()\n  return redis.call('TIME')[1] * 1000\nend\n";
    let script =
        ECHO.replace("BODY", "local at = now_ms()").replace("@include say", "@include say\n-- @include now_ms");
    assert_eq!(said_of(&[("echo/v1.lua", &script), ("lib/say.lua", SAY), ("lib/now_ms.lua", clock)]), none());
}

#[test]
fn keys_of_two_hash_slots_are_told_with_the_line_that_declares_the_second() {
    let script = ECHO
        .replace("-- @key seat hash what to answer", "-- @key seat hash what to answer\n-- @key nodes hash the nodes")
        .replace("local seat_key = KEYS[1]", "local seat_key, nodes_key = KEYS[1], KEYS[2]")
        .replace("BODY", "redis.call('HLEN', nodes_key)");
    let found = said_of(&[("echo/v1.lua", &script), ("lib/say.lua", SAY)]);
    assert_eq!(found.len(), 1, "{found:?}");
    let start = "lua/echo/v1.lua:5: the keys `seat` and `nodes` lie in different hash slots";
    assert!(found[0].starts_with(start), "{found:?}");
}

#[test]
fn headers_bindings_and_grammar_are_told_too() {
    let found = said_of(&[("echo/v1.lua", &ECHO.replace("@mode write", "@mood write")), ("lib/say.lua", SAY)]);
    assert!(found.iter().any(|line| line.starts_with("lua/echo/v1.lua:3: unknown tag `@mood`")), "{found:?}");
    let found = said("local x = = 1");
    assert_eq!(found, ["lua/echo/v1.lua:11: unexpected symbol near '='"]);
}

#[test]
fn problems_fail_a_run_of_the_tests() {
    let script = ECHO.replace("BODY", "local f = os.time");
    let test = "it('works', function() run('echo', { uid = '1' }) end)";
    let files = [("echo/v1.lua", script.as_str()), ("lib/say.lua", SAY), ("echo/test.lua", test)];
    let (tally, report) = run(&files, &Options::default());
    assert_eq!((tally.passed, tally.failed), (1, 1), "{report}");
    assert!(report.contains("FAIL lua/echo/v1.lua:11 lint: no problem"), "{report}");
}
