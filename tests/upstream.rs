//! Redis' own tests against the embedded store.
//!
//! The suite is that of Redis 7.0, as Debian has it; `tests/run.sh upstream` fetches it. It is run as if the store were
//! a Redis on another machine. What fails must be in `upstream/exceptions.txt`, and what is there must fail. All that
//! the driver said of a unit is in `target/upstream/log`; `UPSTREAM_UNIT=unit/type/zset` runs that unit alone.

#[path = "upstream/bridge.rs"]
mod bridge;
#[path = "upstream/exception.rs"]
mod exception;
#[path = "upstream/unit.rs"]
mod unit;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use exception::Exceptions;
use unit::Outcome;

/// The units, longest first, since two of them run at a time.
const UNITS: [&str; 21] = [
    "unit/type/zset",
    "unit/type/list",
    "unit/type/list-3",
    "unit/scripting",
    "unit/expire",
    "unit/type/set",
    "unit/type/stream",
    "unit/introspection-2",
    "unit/type/hash",
    "unit/scan",
    "unit/type/list-2",
    "unit/type/string",
    "unit/keyspace",
    "unit/multi",
    "unit/pubsub",
    "unit/other",
    "unit/introspection",
    "unit/info-command",
    "unit/type/incr",
    "unit/protocol",
    "unit/quit",
];

/// The unpacked suite.
fn suite() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/upstream/redis");
    let there = folder.join("tests/test_helper.tcl").is_file();
    assert!(there, "the tests of Redis are not in target/upstream/redis; run `tests/run.sh upstream` to fetch them");
    folder
}

/// Runs units, two at a time, each against a store of its own.
fn run_all(suite: &Path, units: &[&str]) -> Vec<Outcome> {
    let (waiting, done) = (Mutex::new(units.iter()), Mutex::new(Vec::new()));
    let next = || waiting.lock().expect("no worker panics here").next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(unit) = next() {
                    let outcome = unit::run(suite, unit);
                    done.lock().expect("no worker panics here").push(outcome);
                }
            });
        }
    });
    let mut outcomes = done.into_inner().expect("no worker panics here");
    outcomes.sort_by(|left, right| left.unit.cmp(&right.unit));
    outcomes
}

fn table(outcomes: &[Outcome], exceptions: &Exceptions) -> String {
    let mut table = format!("{:<20} {:>6} {:>8} {:>6} {:>7}\n", "unit", "passed", "excepted", "failed", "seconds");
    let mut totals = [0; 3];
    for outcome in outcomes {
        let failed = outcome.tests.values().filter(|wrong| wrong.is_some()).count();
        let excepted = exceptions.used(outcome);
        let row = [outcome.tests.len() - failed, excepted, failed - excepted + outcome.faults.len()];
        totals.iter_mut().zip(row).for_each(|(total, count)| *total += count);
        let [passed, excepted, failed] = row;
        let (unit, seconds) = (&outcome.unit, outcome.elapsed.as_secs());
        table += &format!("{unit:<20} {passed:>6} {excepted:>8} {failed:>6} {seconds:>7}\n");
    }
    let [passed, excepted, failed] = totals;
    table + &format!("{:<20} {passed:>6} {excepted:>8} {failed:>6}\n", "all")
}

#[test]
fn the_store_passes_the_tests_of_redis() {
    let exceptions = Exceptions::parse(include_str!("upstream/exceptions.txt"));
    let suite = suite();
    let only = std::env::var("UPSTREAM_UNIT").ok();
    let outcomes = match &only {
        Some(unit) => run_all(&suite, &[unit]),
        None => run_all(&suite, &UNITS),
    };
    // Not with a macro, whose output is shown only when the test fails.
    let shown = std::io::stderr().write_all(table(&outcomes, &exceptions).as_bytes());
    shown.expect("the table can be printed");
    let mut violations: Vec<String> = outcomes.iter().flat_map(|outcome| exceptions.violations(outcome)).collect();
    let stray = exceptions.units().filter(|unit| !UNITS.contains(unit));
    violations.extend(stray.map(|unit| format!("{unit}: it is not run, remove its exceptions")));
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

/// The harness itself, on a unit with broken tests and on lists that do not fit.
mod harness {
    use super::*;

    /// Puts the suite's own files and a unit of ours into a folder, and runs the unit.
    fn run_broken() -> Outcome {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tests = folder.path().join("tests");
        std::fs::create_dir_all(tests.join("unit")).expect("a new folder");
        let suite = suite().join("tests");
        std::fs::copy(suite.join("test_helper.tcl"), tests.join("test_helper.tcl")).expect("the suite's main file");
        std::os::unix::fs::symlink(suite.join("support"), tests.join("support")).expect("a link to the suite");
        std::fs::write(tests.join("unit/broken.tcl"), include_str!("upstream/broken.tcl")).expect("a new file");
        unit::run(folder.path(), "unit/broken")
    }

    #[test]
    fn failures_are_seen_and_hide_nothing_behind_them() {
        let outcome = run_broken();
        let failed = |name: &str| outcome.tests.get(name).expect("the test was run").is_some();
        assert!(failed("a wrong expectation"), "an assertion");
        assert!(failed("a wrong result"), "a pattern");
        assert!(failed("an error from the store"), "an error reply");
        assert!(!failed("a test behind an error outside of any test"));
        assert!(!failed("a test in another block"));
        assert_eq!(outcome.tests.len(), 5, "a test whose tags rule it out is not run");
        assert_eq!(outcome.faults.len(), 1, "{:?}", outcome.faults);
        assert!(outcome.faults[0].contains("unknown command"), "{:?}", outcome.faults);
    }

    fn violations(list: &str, lines: &[&str]) -> Vec<String> {
        let mut outcome = Outcome { unit: "unit/x".into(), ..Outcome::default() };
        lines.iter().for_each(|line| outcome.take(line));
        Exceptions::parse(list).violations(&outcome)
    }

    #[test]
    fn the_list_must_fit_what_happened() {
        let list = "# A comment.\n[unit/x]\nIt is not wanted.\n- a\n";
        assert_eq!(violations(list, &["err\ta\twrong"]), [""; 0]);
        assert_eq!(violations(list, &["ok\ta\t1"]), ["unit/x: a: it passes, remove its exception"]);
        assert_eq!(violations(list, &[]), ["unit/x: a: there is no such test, remove its exception"]);
        assert_eq!(violations(list, &["err\ta\twrong", "err\tb\tbad"]), ["unit/x: b: bad"]);
        assert_eq!(violations(list, &["err\ta\twrong", "ok\ta\t1"]), [""; 0], "one of two of a name fails");
        assert_eq!(violations("", &["outside\toops"]), ["unit/x: outside of any test: oops"]);
        assert_eq!(violations("", &["some noise"]), ["unit/x: outside of any test: some noise"]);
    }
}
