//! `oneseat test` as people run it: paths, exit codes, what stands on which stream.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::{ECHO, SAY};

/// Runs `oneseat test` in a folder.
pub fn oneseat(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oneseat"));
    command.arg("test").args(arguments).current_dir(folder).output().expect("the binary runs")
}

/// A folder in which `scripts/` has the script `echo` with a test.
pub fn folder(test: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("scripts");
    fs::create_dir_all(root.join("echo")).expect("a folder");
    fs::create_dir_all(root.join("lib")).expect("a folder");
    fs::write(root.join("lib/say.lua"), SAY).expect("a file");
    fs::write(root.join("echo/v1.lua"), ECHO.replace("BODY", "")).expect("a file");
    fs::write(root.join("echo/test.lua"), test).expect("a file");
    folder
}

/// What stands on a stream.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is text")
}

const GOOD: &str = "it('works', function() run('echo', { uid = '1' }) end)";

#[test]
fn a_folder_one_script_or_one_test_can_be_named() {
    let folder = folder(GOOD);
    for path in ["scripts", "scripts/", "scripts/echo", "scripts/echo/test.lua"] {
        let output = oneseat(&[path], folder.path());
        assert_eq!(output.status.code(), Some(0), "{path}: {output:?}");
        let report: Vec<_> = text(&output.stdout).lines().collect();
        assert_eq!(report.first(), Some(&"ok   scripts/echo/test.lua echo@1: 1 passed"));
        assert_eq!(report.last(), Some(&"1 passed, 0 failed"));
    }
    let inside = oneseat(&["echo"], &folder.path().join("scripts"));
    assert_eq!(inside.status.code(), Some(0), "{inside:?}");
}

#[test]
fn a_failure_is_exit_code_1() {
    let folder = folder("it('fails', function()\n  assert.equal(1, 2)\nend)");
    let output = oneseat(&["scripts"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("FAIL scripts/echo/test.lua:2 echo@1: fails\n     expected 1, got 2\n"));
}

#[test]
fn a_filter_leaves_the_others_out() {
    let folder = folder("it('one', function() end)\nit('two', function() error('no') end)");
    let output = oneseat(&["scripts", "--filter", "one"], folder.path());
    assert!(text(&output.stdout).ends_with("1 passed, 0 failed\n"), "{output:?}");
    assert_eq!(output.status.code(), Some(0));
    let output = oneseat(&["scripts", "--filter", "onne"], folder.path());
    assert!(text(&output.stderr).contains("no test has `onne` in its name"), "{output:?}");
    assert_eq!(output.status.code(), Some(2), "a slip is no success");
}

#[test]
fn wrong_headers_paths_and_addresses_are_exit_code_2() {
    let folder = folder(GOOD);
    let script = folder.path().join("scripts/echo/v1.lua");
    fs::write(&script, ECHO.replace("@mode write", "@mood write").replace("@key seat", "@key chair")).expect("a file");
    let output = oneseat(&["scripts"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    assert!(told.contains("scripts/echo/v1.lua:3: unknown tag `@mood`"), "{told}");
    assert!(told.contains("scripts/echo/v1.lua:4: unknown key `chair`"), "{told}");
    fs::create_dir(folder.path().join("empty")).expect("a folder");
    for arguments in
        [&["nowhere"][..], &["empty"], &["--redis", "host"], &["--flush"], &["--redis", "redis://127.0.0.1:1"]]
    {
        let output = oneseat(arguments, folder.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(text(&output.stderr).starts_with("oneseat: error: "), "{output:?}");
    }
}
