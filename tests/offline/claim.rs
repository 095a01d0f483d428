//! Which versions a test runs for, and what becomes of a test that claims none.

use oneseat::offline::{Options, Tally};

use crate::{ECHO, SAY, run};

/// Runs a test for three versions of `echo`.
fn run_three(test: &str) -> (Tally, String) {
    let version = |number: u32| {
        let script = ECHO.replace("BODY", "").replace("echo v1", &format!("echo v{number}"));
        script.replace("-- @mode", &format!("-- @change v{number} nothing.\n-- @mode"))
    };
    let (v1, v2, v3) = (version(1), version(2), version(3));
    let files = [
        ("lib/say.lua", SAY),
        ("echo/v1.lua", v1.as_str()),
        ("echo/v2.lua", v2.as_str()),
        ("echo/v3.lua", v3.as_str()),
        ("echo/test.lua", test),
    ];
    run(&files, &Options::default())
}

const RUNS: &str = "function() run('echo', { uid = '1' }) end";

#[test]
fn a_test_runs_for_the_versions_that_it_claims() {
    let (tally, report) = run_three(&format!(
        "it('of all', {RUNS})
         it('of the later', {{ since = 2 }}, function() assert.is_true(given_version() >= 2) end)
         it('of the earlier', {{ till = 2 }}, function() assert.is_true(given_version() <= 2) end)
         it('of one', {{ only = 2 }}, function() assert.equal(2, given_version()) end)"
    ));
    assert_eq!((tally.passed, tally.failed), (3 + 2 + 2 + 1, 0), "{report}");
    assert!(report.contains("echo@1: 2 passed\n"), "{report}");
    assert!(report.contains("echo@2: 4 passed\n"), "{report}");
    assert!(report.contains("echo@3: 2 passed\n"), "{report}");
}

#[test]
fn what_a_group_claims_holds_for_its_tests_unless_they_say_otherwise() {
    let (tally, report) = run_three(&format!(
        "it('of all', {RUNS})
         describe('a group', {{ since = 2 }}, function()
           it('inherits', function() assert.is_true(given_version() >= 2) end)
           it('narrows', {{ till = 2 }}, function() assert.equal(2, given_version()) end)
           describe('inside', {{ since = 3 }}, function()
             it('says otherwise', function() assert.equal(3, given_version()) end)
           end)
         end)
         it('behind it', function() end)"
    ));
    assert_eq!((tally.passed, tally.failed), (3 + 2 + 1 + 1 + 3, 0), "{report}");
}

#[test]
fn a_test_that_no_version_claims_is_a_failure() {
    let (tally, report) = run_three(&format!("it('of all', {RUNS})\nit('of none', {{ since = 4 }}, {RUNS})"));
    assert_eq!((tally.passed, tally.failed), (3, 1), "{report}");
    let said = "FAIL lua/echo/test.lua:2 echo: of none\n     no version claims this: it asks for since = 4, there is echo@1, echo@2, echo@3\n";
    assert!(report.contains(said), "{report}");
}

#[test]
fn wrong_options_are_named() {
    for (options, said) in [
        (
            "{ sinse = 2 }",
            "lua/echo/test.lua:1 echo@1: cannot be read\n     it has no option `sinse`; allowed are since,",
        ),
        ("{ since = 'two' }", "`since` takes the number of a version, not two"),
        ("{ only = 0 }", "`only` takes the number of a version, not 0"),
        ("2", "it takes a name and a function, and options between them"),
    ] {
        let (_, report) = run_three(&format!("it('x', {options}, {RUNS})"));
        assert!(report.contains(said), "{options}: {report}");
    }
}
