//! Tests run in children with a watchdog: whatever one of them does, the others run and the run ends.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oneseat::offline::message::{Job, PROTOCOL, Setup, Terms};
use oneseat::offline::{Executor, Options, Suite, Tally, runner};
use oneseat::script::tree::Tree;

use crate::cli::{folder, oneseat, text};
use crate::{ECHO, SAY};

/// A search that goes on for longer than anybody waits, in one operation that no hook can stop.
const ENDLESS: &str = "string.find(string.rep('a', 40), string.rep('a?', 40) .. string.rep('a', 40) .. 'b')";
/// A search that goes deeper than the stack of a process.
const DEEP: &str = "string.find(string.rep('a', 3000000), string.rep('a?', 3000000))";

/// Seconds of patience with what hangs, with what goes on in small steps, and with what ends by itself.
const SHORT: u64 = 2;
const STEP: u64 = 1;
const LONG: u64 = 60;

/// Runs a test of `echo` beside one of another script, with a patience of so many seconds.
fn run_in_children(body: &str, test: &str, patience_s: u64) -> (Tally, String) {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_oneseat"));
    let script = ECHO.replace("BODY", body);
    let other = ECHO.replace("BODY", "").replace("echo", "other");
    let other_test = "it('runs', function() run('other', { uid = '1' }) end)";
    let files = [
        ("lib/say.lua", SAY),
        ("echo/v1.lua", script.as_str()),
        ("echo/test.lua", test),
        ("other/v1.lua", other.as_str()),
        ("other/test.lua", other_test),
    ];
    let suite = Suite::from_tree(&Tree::of(files), None).expect("the scripts are well-formed");
    let silence_max = Duration::from_secs(patience_s);
    let options = Options { executor: Executor::Children { program, at_once: 2 }, silence_max, ..Options::default() };
    let mut report = Vec::new();
    let results = runner::run(&suite, &options, &mut report).expect("the run goes on");
    (results.tally(), String::from_utf8(report).expect("reports are text"))
}

#[test]
fn an_operation_that_nothing_interrupts_fails_its_test_alone() {
    let test = format!("it('a', function() end)\nit('b', function() {ENDLESS} end)\nit('c', function() end)");
    let (tally, report) = run_in_children("", &test, SHORT);
    assert_eq!((tally.passed, tally.failed), (3, 1), "{report}");
    let said = "FAIL lua/echo/test.lua:2 echo@1: b\n     did not end within 2 s; a single pattern or string operation";
    assert!(report.contains(said), "{report}");
}

#[test]
fn so_does_one_in_a_script() {
    let test = "it('a', function() run('echo', { uid = '1' }) end)\nit('b', function() end)";
    let (tally, report) = run_in_children(ENDLESS, test, SHORT);
    assert_eq!((tally.passed, tally.failed), (2, 1), "{report}");
    assert!(report.contains("FAIL lua/echo/test.lua:1 echo@1: a\n     did not end within 2 s"), "{report}");
}

#[test]
fn a_file_that_cannot_even_be_read_in_time_is_given_up() {
    let (tally, report) = run_in_children("", &format!("{ENDLESS}\nit('a', function() end)"), SHORT);
    assert_eq!((tally.passed, tally.failed), (1, 1), "{report}");
    assert!(report.contains("FAIL lua/echo/test.lua echo@1: cannot be read\n     did not end within 2 s"), "{report}");
}

#[test]
fn a_process_that_dies_fails_its_test_alone() {
    let test = format!("it('a', function() {DEEP} end)\nit('b', function() run('echo', {{ uid = '1' }}) end)");
    let (tally, report) = run_in_children("", &test, LONG);
    assert_eq!((tally.passed, tally.failed), (2, 1), "{report}");
    assert!(
        report.contains("FAIL lua/echo/test.lua:1 echo@1: a\n     the process that ran it died: signal"),
        "{report}"
    );
}

#[test]
fn a_long_test_that_moves_is_not_taken_for_one_that_hangs() {
    // Longer than the silence that is allowed, in steps that are far shorter.
    let test = "it('a', function()
      local text = string.rep('a', 2000)
      for i = 1, 400 do string.find(text, 'a*b') run('echo', { uid = '1' }) end
    end)";
    let (tally, report) = run_in_children("", test, STEP);
    assert_eq!((tally.passed, tally.failed), (2, 0), "{report}");
}

#[test]
fn loops_memory_and_syntax_are_told_with_their_lines() {
    let runs = "it('a', function() run('echo', { uid = '1' }) end)";
    for (body, test, said) in [
        (
            "",
            "it('a', function()\n  while true do end\nend)",
            "FAIL lua/echo/test.lua:2 echo@1: a\n     the test ran more than",
        ),
        ("while true do end", runs, "lua/echo/v1.lua:11: Script ran for more instructions than it is allowed"),
        ("local t = {} while true do t[#t + 1] = {} end", runs, "lua/echo/v1.lua:11: not enough memory"),
        (
            "",
            "it('a', function() local t = {} while true do t[#t + 1] = {} end end)",
            "FAIL lua/echo/test.lua:1 echo@1: a\n     not enough memory",
        ),
        ("", "it('a', function()\n  local x = = 1\nend)", "FAIL lua/echo/test.lua:2 echo@1: cannot be read\n"),
        ("redis.call('NOSUCH')", runs, "lua/echo/v1.lua:11: "),
        ("local x = = 1", runs, "lua/echo/v1.lua:11: unexpected symbol near '='"),
    ] {
        let (tally, report) = run_in_children(body, test, LONG);
        // What does not compile is told by the lint, too.
        let linted = usize::from(body.contains("= ="));
        assert_eq!((tally.passed, tally.failed), (1, 1 + linted), "{body} {test}: {report}");
        assert!(report.contains(said), "{body} {test}: {report}");
    }
}

#[test]
fn the_order_of_the_report_does_not_depend_on_who_is_ready_first() {
    let test = "it('a', function() for i = 1, 100000 do local x = i end run('echo', { uid = '1' }) end)";
    let (_, report) = run_in_children("", test, LONG);
    let order: Vec<_> = report.lines().filter(|line| line.starts_with("ok")).collect();
    assert_eq!(order, ["ok   lua/echo/test.lua echo@1: 1 passed", "ok   lua/other/test.lua other@1: 1 passed"]);
}

#[test]
fn what_a_test_prints_does_not_get_into_the_report() {
    let test = "it('a', function() print('seen', 1, nil) print('{\"done\":null}') run('echo', { uid = '1' }) end)";
    let folder = folder(test);
    let output = oneseat(&["scripts"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!text(&output.stdout).contains("seen"), "{output:?}");
    assert!(text(&output.stderr).contains("seen\t1\tnil\n"), "{output:?}");
}

#[test]
fn a_worker_ends_with_its_runner_even_amid_an_operation_that_nothing_interrupts() {
    let script = ECHO.replace("BODY", "");
    let test = format!("it('a', function() {ENDLESS} end)");
    let files = [("lib/say.lua", SAY), ("echo/v1.lua", script.as_str()), ("echo/test.lua", test.as_str())];
    let Suite { tree, files, .. } = Suite::from_tree(&Tree::of(files), None).expect("the scripts are well-formed");
    let setup = Setup { protocol: PROTOCOL, tree, files, terms: Terms::default() };
    let mut process = Command::new(env!("CARGO_BIN_EXE_oneseat"))
        .args(["test", "--worker"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut input = process.stdin.take().expect("it is piped");
    for line in
        [serde_json::to_string(&setup), serde_json::to_string(&Job { file: 0, version: 1, turns: None, from: 0 })]
    {
        writeln!(input, "{}", line.expect("it is JSON")).expect("it reads");
    }
    let output = BufReader::new(process.stdout.take().expect("it is piped"));
    assert!(output.lines().map_while(Result::ok).any(|line| line.contains("started")), "the test begins");
    drop(input);
    wait_for_end(&mut process);
}

fn wait_for_end(process: &mut Child) {
    let start = Instant::now();
    while process.try_wait().expect("it is our child").is_none() {
        assert!(start.elapsed() < Duration::from_secs(LONG), "the worker goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_time_without_a_sign_can_be_chosen() {
    let folder = folder(&format!("it('a', function() {ENDLESS} end)"));
    let output = oneseat(&["scripts", "--timeout", "2"], folder.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stdout).contains("did not end within 2 s"), "{output:?}");
}
