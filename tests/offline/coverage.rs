//! Which lines of scripts and helpers ran in their tests.

use oneseat::offline::{Options, Suite, runner};
use oneseat::script::tree::Tree;

use crate::cli::{folder, oneseat, text};
use crate::{ECHO, SAY, run};

#[test]
fn lines_that_did_not_run_are_named_in_the_files_that_people_know() {
    let say = SAY.replace("  return", "  if text == '' then\n    text = 'nothing'\n  end\n  return");
    let script = ECHO.replace("BODY", "if note == 'x' then\n  note = 'y'\n  note = note .. 'z'\nend");
    let test = "it('works', function() run('echo', { uid = '1' }) end)";
    let files = [("lib/say.lua", say.as_str()), ("echo/v1.lua", &script), ("echo/test.lua", test)];
    let (_, report) = run(&files, &Options::default());
    let said = "coverage: 70.0 % of 10 lines\n  lua/echo/v1.lua: not run: 12-13\n  lua/lib/say.lua: not run: 4\n";
    assert!(report.contains(said), "{report}");
}

#[test]
fn a_helper_is_covered_by_all_scripts_that_include_it() {
    let say = SAY.replace("  return", "  if uid == '2' then\n    text = 'two'\n  end\n  return");
    let (one, two) = (ECHO.replace("BODY", ""), ECHO.replace("BODY", "").replace("echo", "other"));
    let files = [
        ("lib/say.lua", say.as_str()),
        ("echo/v1.lua", &one),
        ("echo/test.lua", "it('one', function() run('echo', { uid = '1' }) end)"),
        ("other/v1.lua", &two),
        ("other/test.lua", "it('two', function() run('other', { uid = '2' }) end)"),
    ];
    let suite = Suite::from_tree(&Tree::of(files), None).expect("well-formed");
    let results = runner::run(&suite, &Options::default(), &mut Vec::new()).expect("the run goes on");
    assert!(results.coverage.expect("all tests ran").missed().is_empty());
}

#[test]
fn a_part_of_the_tests_says_nothing_about_coverage() {
    let script = ECHO.replace("BODY", "");
    let test = "it('works', function() run('echo', { uid = '1' }) end)";
    let files = [("lib/say.lua", SAY), ("echo/v1.lua", script.as_str()), ("echo/test.lua", test)];
    let (_, report) = run(&files, &Options { filter: Some("works".into()), ..Options::default() });
    assert!(!report.contains("coverage"), "{report}");
}

#[test]
fn too_few_lines_are_exit_code_1_where_that_is_asked_for() {
    let folder = folder("it('works', function() run('echo', { uid = '1' }) end)");
    let script = ECHO.replace("BODY", "if note == 'x' then\n  note = 'y'\nend");
    std::fs::write(folder.path().join("scripts/echo/v1.lua"), script).expect("a file");
    let code = |least: &str| oneseat(&["scripts", "--fail-under", least], folder.path()).status.code();
    assert_eq!(code("80"), Some(0));
    let output = oneseat(&["scripts", "--fail-under", "100"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("% of the lines ran, --fail-under asks for 100"), "{output:?}");
    assert_eq!(code("101"), Some(2));
    assert_eq!(oneseat(&["scripts", "--fail-under", "1", "--filter", "x"], folder.path()).status.code(), Some(2));
}

#[test]
fn other_tools_read_the_lines_as_lcov_writes_them() {
    let folder = folder("it('works', function() run('echo', { uid = '1' }) run('echo', { uid = '1' }) end)");
    let output = oneseat(&["scripts", "--lcov", "lines.info"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lcov = std::fs::read_to_string(folder.path().join("lines.info")).expect("it was written");
    let expected = "TN:\nSF:scripts/echo/v1.lua\nDA:9,2\nDA:10,2\nDA:12,2\nLF:3\nLH:3\nend_of_record\n\
                    TN:\nSF:scripts/lib/say.lua\nDA:3,2\nDA:4,2\nLF:2\nLH:2\nend_of_record\n";
    assert_eq!(lcov, expected);
}
