//! A folder laid over the scripts inside the binary: what it brings is tested, by its tests and by the built-in ones.

use std::fs;
use std::path::Path;

use oneseat::offline::{Options, Suite, Tally, runner};
use oneseat::script::tree::Tree;

use crate::cli::{oneseat, text};
use crate::{ECHO, SAY};

/// The built-in version 1 of a script, as version 2 with a change.
fn second(name: &str, from: &str, to: &str) -> String {
    let tree = Tree::embedded();
    let v1 = tree.get(&format!("{name}/v1.lua")).expect("it is built in");
    assert!(v1.contains(from), "{name} has no {from}");
    let v2 = v1.replace(&format!("{name} v1"), &format!("{name} v2")).replace(from, to);
    v2.replacen("-- @mode", "-- @change v2 another word.\n-- @mode", 1)
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// Runs what `upper` brings over a small tree with one script and one test.
fn run_over(upper: &[(&str, &str)]) -> (Tally, String) {
    let v1 = ECHO.replace("BODY", "");
    let test = "it('counts', function()
          redis.call('HSET', key('seat', '1'), 'a', 'b')
          assert.equal('1', run('echo', { uid = '1' }).reply.json.text)
        end)";
    let lower = Tree::of([("lib/say.lua", SAY), ("echo/v1.lua", v1.as_str()), ("echo/test.lua", test)]);
    let suite = Suite::overlay(&lower, &Tree::of(upper.iter().copied()), None, None).expect("well-formed");
    let mut report = Vec::new();
    let results = runner::run(&suite, &Options::default(), &mut report).expect("the run goes on");
    (results.tally(), String::from_utf8(report).expect("reports are text"))
}

fn echo_v2(body: &str) -> String {
    let v2 = ECHO.replace("BODY", body).replace("echo v1", "echo v2");
    v2.replace("-- @mode", "-- @change v2 another answer.\n-- @mode")
}

#[test]
fn a_folder_with_one_new_version_and_its_test_is_enough() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "mine/count/v2.lua", &second("count", "local ", "local  "));
    let test = "it('is the second', { since = 2 }, function() assert.equal(2, given_version()) end)";
    write(folder.path(), "mine/count/test.lua", test);
    write(folder.path(), "mine/README.txt", "no script");
    for path in ["mine", "mine/count", "mine/count/test.lua", "mine/count/v2.lua"] {
        let output = oneseat(&[path], folder.path());
        let report = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{path}: {output:?}");
        assert!(report.contains("ok   mine/count/test.lua count@2: 1 passed\n"), "{report}");
        assert!(report.contains("ok   lua/count/test.lua count@2: "), "the built-in tests count too: {report}");
        assert!(report.contains("count@1/2: "), "and hold for both versions in turns: {report}");
        assert!(!report.contains("count@1:") && !report.contains("login"), "nothing else was brought: {report}");
    }
}

#[test]
fn problems_are_shown_by_the_folder_that_they_come_from() {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        "mine/lib/now_ms.lua",
        "-- now_ms: no time.\nlocal function now_ms()\n  error('no time')\nend\n",
    );
    let output = oneseat(&["mine"], folder.path());
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(report.contains("mine/lib/now_ms.lua:3: no time"), "{report}");
    assert!(report.contains("FAIL lua/login/test.lua:"), "all scripts with the helper are tested: {report}");
    assert!(!report.contains("lua/count/test.lua"), "those without it are not: {report}");
}

#[test]
fn what_is_no_script_cannot_be_tested() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "mine/notes.txt", "no script");
    write(folder.path(), "mine/login/other.lua", "");
    for (path, said) in [
        ("mine/notes.txt", "is neither a version of a script"),
        ("mine/login", "mine/login/other.lua:1: no place for this file"),
        ("elsewhere", "elsewhere: No such file"),
    ] {
        let output = oneseat(&[path], folder.path());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(text(&output.stderr).contains(said), "{output:?}");
    }
}

#[test]
fn examples_below_the_root_are_no_part_of_a_tree() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "mine/examples/anything/goes.lua", "this is no Lua");
    write(folder.path(), "mine/echo/v1.lua", &ECHO.replace("BODY", ""));
    write(folder.path(), "mine/echo/test.lua", "it('works', function() run('echo', { uid = '1' }) end)");
    write(folder.path(), "mine/lib/say.lua", SAY);
    let output = oneseat(&["mine"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn built_in_tests_run_where_a_folder_has_none_of_its_own() {
    let (tally, report) = run_over(&[("echo/v2.lua", &echo_v2("local more = 1; note = note .. more"))]);
    assert_eq!((tally.passed, tally.failed), (0, 1), "for what is new only: {report}");
    assert!(report.contains("FAIL lua/echo/test.lua:3 echo@2: counts"), "{report}");
}

#[test]
fn a_behaviour_is_changed_by_restating_its_test_and_not_by_leaving_it_out() {
    let v2 = echo_v2("local more = 1; note = note .. more");
    let other = "it('something else', { since = 2 }, function() run('echo', { uid = '1' }) end)";
    let (tally, report) = run_over(&[("echo/v2.lua", &v2), ("echo/test.lua", other)]);
    assert_eq!((tally.passed, tally.failed), (1, 1), "left out: {report}");
    assert!(report.contains("echo@2: counts"), "{report}");
    let restated =
        "it('counts', { since = 2 }, function() assert.equal('01', run('echo', { uid = '1' }).reply.json.text) end)";
    let (tally, report) = run_over(&[("echo/v2.lua", &v2), ("echo/test.lua", restated)]);
    assert_eq!((tally.passed, tally.failed), (1, 0), "restated: {report}");
}

#[test]
fn further_tests_of_a_built_in_version_stand_beside_its_own() {
    let further = "it('works', function() run('echo', { uid = '1' }) end)";
    let (tally, report) = run_over(&[("echo/test.lua", further)]);
    assert_eq!((tally.passed, tally.failed), (2, 0), "{report}");
}

#[test]
fn a_second_test_file_has_the_same_language_and_the_same_rules() {
    let explore = "it('explores', function() run('echo', { uid = '1' }) end)";
    let (tally, report) = run_over(&[("echo/explore.lua", explore)]);
    assert_eq!((tally.passed, tally.failed), (2, 0), "{report}");
    assert!(report.contains("ok   lua/echo/explore.lua echo@1: 1 passed\n"), "{report}");
}

#[test]
fn one_version_of_several_can_be_meant() {
    let (v2, v3) =
        (echo_v2(""), echo_v2("local unused = 1").replace("echo v2", "echo v3").replace("@change v2", "@change v3"));
    let upper = [("echo/v2.lua", v2.as_str()), ("echo/v3.lua", v3.as_str())];
    let v1 = ECHO.replace("BODY", "");
    let test = "it('works', function() run('echo', { uid = '1' }) end)";
    let lower = Tree::of([("lib/say.lua", SAY), ("echo/v1.lua", v1.as_str()), ("echo/test.lua", test)]);
    let suite = Suite::overlay(&lower, &Tree::labelled("mine", upper), Some("echo"), Some(2)).expect("well-formed");
    let mut report = Vec::new();
    let results = runner::run(&suite, &Options::default(), &mut report).expect("the run goes on");
    assert_eq!(results.tally(), Tally { passed: 1, failed: 0, embedded_only: 0 });
    assert_eq!(results.coverage_percent(), Some(100.0));
    let report = String::from_utf8(report).expect("reports are text");
    assert!(report.starts_with("ok   lua/echo/test.lua echo@2: 1 passed\n"), "{report}");
    assert!(!report.contains("echo@3"), "{report}");
}
