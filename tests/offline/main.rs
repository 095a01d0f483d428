//! The offline test runner: what it reports, what it holds scripts to, and that nothing a test does stops it.

mod broken;
mod claim;
mod cli;
mod coverage;
mod explore;
mod lint;
mod order;
mod overlay;
mod report;
mod rollback;
mod server;
mod tree;
mod watchdog;

use std::path::PathBuf;

use oneseat::offline::{Executor, Options, Suite, Tally, runner};
use oneseat::script::tree::Tree;

/// A script that answers what a test puts into the seat of a user.
const ECHO: &str = "-- echo v1: answer what the seat holds.
-- @since 0.1.0
-- @mode write
-- @key seat hash what to answer
-- @arg uid text the user
-- @arg note text what to do
-- @effect reply the answer
-- @include say
local seat_key = KEYS[1]
local uid, note = ARGV[1], ARGV[2]
BODY
return { 1, say(uid, redis.call('HLEN', seat_key) .. note) }
";
const SAY: &str = "-- say: wrap a text.\nlocal function say(uid, text)\n  return { 'reply', 0, cjson.encode({ uid = uid, text = text }) }\nend\n";

/// Runs `test` for `echo` with `body` in its middle; answers the numbers and the report.
fn run_echo(body: &str, test: &str) -> (Tally, String) {
    let script = ECHO.replace("BODY", body);
    run(&[("lib/say.lua", SAY), ("echo/v1.lua", &script), ("echo/test.lua", test)], &Options::default())
}

fn run(files: &[(&str, &str)], options: &Options) -> (Tally, String) {
    run_suite(&suite_of(files), options)
}

fn suite_of(files: &[(&str, &str)]) -> Suite {
    Suite::from_tree(&Tree::of(files.iter().copied()), None).expect("the scripts are well-formed")
}

fn run_suite(suite: &Suite, options: &Options) -> (Tally, String) {
    let mut report = Vec::new();
    let tally = runner::run(suite, options, &mut report).expect("the run goes on").tally();
    (tally, String::from_utf8(report).expect("reports are text"))
}

fn failure(body: &str, test: &str) -> String {
    let (tally, report) = run_echo(body, test);
    assert!(tally.failed >= 1, "{report}");
    report
}

#[test]
fn the_shipped_scripts_pass_their_tests_and_every_line_of_them_runs() {
    let suite = Suite::find(None).expect("the built-in scripts are well-formed");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_oneseat"));
    let options = Options { executor: Executor::Children { program, at_once: 2 }, ..Options::default() };
    let mut report = Vec::new();
    let results = runner::run(&suite, &options, &mut report).expect("the run goes on");
    let report = String::from_utf8_lossy(&report);
    assert_eq!(results.tally().failed, 0, "{report}");
    assert!(results.tally().passed > 150, "{report}");
    let coverage = results.coverage.expect("all tests ran");
    assert!(coverage.missed().is_empty(), "{report}");
    assert!(coverage.lines() > 400, "{report}");
}

#[test]
fn every_script_has_tests() {
    let suite = Suite::find(None).expect("the built-in scripts are well-formed");
    let mut tested: Vec<_> = suite.files.iter().map(|file| file.script.as_str()).collect();
    tested.dedup();
    let names: Vec<_> = suite.catalogue.names().collect();
    assert_eq!(tested, names);
}

#[test]
fn the_last_line_is_the_summary_alone() {
    let (tally, report) = run_echo("", "it('works', function() run('echo', { uid = '1' }) end)");
    assert_eq!((tally.passed, tally.failed), (1, 0));
    assert!(report.ends_with("\n1 passed, 0 failed\n"), "{report}");
}

#[test]
fn a_failing_assertion_shows_its_line_and_the_difference() {
    let test = "describe('echo', function()\n  it('counts', function()\n    local e = run('echo', { uid = '7', note = 'x' })\n    \
                assert.same({ uid = '8', text = '0x' }, e.reply.json)\n  end)\nend)\n";
    let report = failure("", test);
    assert!(
        report.contains("FAIL lua/echo/test.lua:4 echo@1: echo counts\n     at .uid: expected \"8\", got \"7\""),
        "{report}"
    );
}

#[test]
fn an_error_in_a_script_or_a_helper_shows_the_line_of_its_own_file() {
    let test = "it('works', function() run('echo', { uid = '1' }) end)";
    let report = failure("error('boom')", test);
    assert!(report.contains("lua/echo/v1.lua:11: boom"), "{report}");
    let broken = SAY.replace("cjson", "nosuch.cjson");
    let script = ECHO.replace("BODY", "");
    let files = [("lib/say.lua", broken.as_str()), ("echo/v1.lua", &script), ("echo/test.lua", test)];
    let (_, report) = run(&files, &Options::default());
    assert!(report.contains("lua/lib/say.lua:3: "), "{report}");
    assert!(report.contains("FAIL lua/echo/test.lua:1 "), "{report}");
}

#[test]
fn nothing_hangs_and_nothing_eats_the_memory() {
    for (body, test, said) in [
        ("", "while true do end", "lua/echo/test.lua:1 echo@1: x\n     the test ran more than"),
        ("", "while true do pcall(function() while true do end end) end", "the test ran more than"),
        ("", "local t = {} while true do t[#t + 1] = string.rep('x', 100000) .. #t end", "not enough memory"),
        ("while true do end", "run('echo', { uid = '1' })", "lua/echo/"),
        (
            "local t = {} while true do t[#t + 1] = string.rep('x', 100000) .. #t end",
            "run('echo', { uid = '1' })",
            "memory",
        ),
    ] {
        let report = failure(body, &format!("it('x', function() {test} end)"));
        assert!(report.contains(said), "{test}: {report}");
    }
}

#[test]
fn arguments_go_by_names_of_the_header() {
    let report = failure("", "it('x', function() run('echo', { uid = '1', nose = '' }) end)");
    assert!(report.contains("echo@1 has no `nose`; allowed are uid, note"), "{report}");
    let report = failure("", "it('x', function() run('echo', { note = 'y' }) end)");
    assert!(report.contains("`uid` is missing"), "{report}");
    let report = failure("", "it('x', function() run('ecko', { note = 'y' }) end)");
    assert!(report.contains("no script is called `ecko`; there are echo"), "{report}");
    let report = failure("", "it('x', function() run('echo', { uid = 1.5 }) end)");
    assert!(report.contains("`uid`: a text or an integer is expected"), "{report}");
}

#[test]
fn scripts_are_held_to_their_headers() {
    let test = "it('x', function() run('echo', { uid = '1' }) end)";
    let report = failure("redis.call('SET', seat_key .. 'x', '1')", test);
    assert!(report.contains("lua/echo/v1.lua:11: "), "a key that was not declared: {report}");
    let report = failure("do return { 1, { 'close', 'kicked' } } end", test);
    assert!(report.contains("returns `close`, which its header does not declare"), "{report}");
    let report = failure("do return { 2 } end", test);
    assert!(report.contains("does not follow") || report.contains("contract's number 1"), "{report}");
    let script = ECHO.replace("BODY", "redis.call('HSET', seat_key, 'a', '1')").replace("@mode write", "@mode read");
    let files = [("lib/say.lua", SAY), ("echo/v1.lua", &script), ("echo/test.lua", test)];
    let (tally, report) = run(&files, &Options::default());
    assert_eq!(tally.failed, 1, "{report}");
    assert!(report.contains("Write commands are not allowed from read-only scripts"), "{report}");
}

#[test]
fn an_effect_that_no_test_sees_is_a_failure() {
    let script = ECHO.replace("BODY", "").replace("-- @include", "-- @effect close never\n-- @include");
    let test = "it('x', function() run('echo', { uid = '1' }) end)";
    let files = [("lib/say.lua", SAY), ("echo/v1.lua", &script), ("echo/test.lua", test)];
    let (tally, report) = run(&files, &Options::default());
    assert_eq!((tally.passed, tally.failed), (1, 1));
    assert!(
        report.contains(
            "lua/echo/v1.lua:1 echo@1: every declared effect is tested\n     no test sees the effect `close`"
        ),
        "{report}"
    );
    let filtered = Options { filter: Some("x".into()), ..Options::default() };
    assert_eq!(run(&files, &filtered).0.failed, 0, "a filtered run cannot tell");
}

#[test]
fn every_version_is_tested_and_a_test_may_choose_one() {
    let (v1, v2) = (ECHO.replace("BODY", ""), ECHO.replace("BODY", "").replace("echo v1", "echo v2"));
    let v2 = v2.replace("-- @mode", "-- @change v2 nothing.\n-- @mode").replace("HLEN", "EXISTS");
    let test = "it('x', function() run('echo', { uid = '1' }) end)
        it('goes back', function()
          given_version(1)
          run('echo', { uid = '1' })
          assert.error(function() given_version(3) end, 'there is no echo@3; there is echo@1, echo@2')
        end)";
    let files = [("lib/say.lua", SAY), ("echo/v1.lua", &v1), ("echo/v2.lua", &v2), ("echo/test.lua", test)];
    let (tally, report) = run(&files, &Options::default());
    assert_eq!((tally.passed, tally.failed), (4, 0), "{report}");
}

#[test]
fn tests_cannot_see_each_other() {
    let test = "local n = 0
        it('a', function() n = n + 1; redis.call('SET', 'k', 'v'); clock.advance(5); run('echo', { uid = '1' }) end)
        it('b', function()
          assert.equal(0, n)
          assert.same({}, state())
          assert.equal(1700000000000, clock.now())
        end)";
    let (tally, report) = run_echo("", test);
    assert_eq!((tally.passed, tally.failed), (2, 0), "{report}");
}

#[test]
fn mistakes_in_a_test_are_named() {
    for (test, said) in [
        ("it('x', function() foo = 1 end)", "`foo` would be global"),
        ("it('x', function() return foo end)", "nothing is called `foo`"),
        ("it('x', function() return io.open('x') end)", "nothing is called `io`"),
        ("it('x')", "lua/echo/test.lua:1 echo@1: cannot be read\n     it takes a name and a function"),
        (
            "it('x', function() end)\nit('x', function() end)",
            "lua/echo/test.lua:2 echo@1: cannot be read\n     a test of this name begins on line 1 already: x",
        ),
        ("it('x', function() local x end) end", "lua/echo/test.lua:1 echo@1: cannot be read"),
        ("it('x', function() redis.call('NOSUCH') end)", "unknown command"),
        ("it('x', function() redis.call('FlushAll') end)", "FLUSHDB empties that of the test"),
        ("it('x', function() key('chair') end)", "no key is called `chair`; allowed are seat,"),
        ("it('x', function() defaults({ chair = 1 }) end)", "no argument is called `chair`"),
    ] {
        let report = failure("", test);
        assert!(report.contains(said), "{test}: {report}");
    }
}

#[test]
fn the_same_seed_draws_the_same_numbers() {
    let draw = "it('x', function() error('drew ' .. math.random(1000000)) end)";
    let script = ECHO.replace("BODY", "");
    let files = [("lib/say.lua", SAY), ("echo/v1.lua", script.as_str()), ("echo/test.lua", draw)];
    let report_of = |seed| run(&files, &Options { seed, ..Options::default() }).1;
    assert_eq!(report_of(7), report_of(7));
    assert_ne!(report_of(7), report_of(8));
    assert!(report_of(7).contains("\nseed 7\n"));
}
