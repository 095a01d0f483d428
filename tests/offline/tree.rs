//! The files of a folder: which of them are read, and what is said of those that cannot be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use oneseat::script::tree::{FILE_BYTES_MAX, Tree};
use rustix::fs::{CWD, Mode, mkfifoat};

use crate::cli::{folder, oneseat, text};

const GOOD: &str = "it('works', function() run('echo', { uid = '1' }) end)";

/// What `oneseat test scripts` says of a folder that it refuses.
fn refused(folder: &Path) -> String {
    let output = oneseat(&["scripts"], folder);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    text(&output.stderr).to_owned()
}

#[test]
fn a_pipe_and_a_device_are_told_and_not_read() {
    let folder = folder(GOOD);
    let path = folder.path().join("scripts/echo/v2.lua");
    mkfifoat(CWD, &path, Mode::RWXU).expect("a pipe");
    assert!(refused(folder.path()).contains("scripts/echo/v2.lua: is no regular file"), "a pipe");
    fs::remove_file(&path).expect("the folder is ours");
    symlink("/dev/zero", &path).expect("a link");
    assert!(refused(folder.path()).contains("scripts/echo/v2.lua: is no regular file"), "a device");
    fs::remove_file(&path).expect("the folder is ours");
    symlink("nowhere", &path).expect("a link");
    assert!(refused(folder.path()).contains("scripts/echo/v2.lua: No such file"), "nothing");
}

#[test]
fn a_link_to_a_file_is_as_good_as_the_file() {
    let folder = folder(GOOD);
    let path = folder.path().join("scripts/echo/test.lua");
    fs::rename(&path, folder.path().join("elsewhere")).expect("the folder is ours");
    symlink("../../elsewhere", &path).expect("a link");
    let output = oneseat(&["scripts"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_file_is_read_up_to_its_limit_and_a_longer_one_is_told() {
    let folder = folder(GOOD);
    let path = folder.path().join("scripts/echo/test.lua");
    // Two bytes each, so that what is read of the longer one ends within a letter.
    let longest = format!(
        "{GOOD}  --{}{}",
        " ".repeat((FILE_BYTES_MAX - GOOD.len()) % 2),
        "\u{e9}".repeat((FILE_BYTES_MAX - GOOD.len() - 4) / 2)
    );
    assert_eq!(longest.len(), FILE_BYTES_MAX);
    fs::write(&path, &longest).expect("a file");
    let output = oneseat(&["scripts"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    fs::write(&path, longest + "\u{e9}").expect("a file");
    let told = refused(folder.path());
    assert!(told.contains("scripts/echo/test.lua: is longer than 131072 bytes"), "{told}");
}

#[test]
fn what_editors_leave_is_no_script() {
    let folder = folder(GOOD);
    symlink("me@here.1:2", folder.path().join("scripts/echo/.#v1.lua")).expect("a link");
    fs::write(folder.path().join("scripts/echo/.v1.lua"), "half a").expect("a file");
    fs::create_dir(folder.path().join("scripts/.git")).expect("a folder");
    fs::write(folder.path().join("scripts/.git/v1.lua"), "no script").expect("a file");
    let output = oneseat(&["scripts"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn the_path_of_an_error_is_told_once() {
    let folder = folder(GOOD);
    fs::write(folder.path().join("scripts/echo/v2.lua"), b"\xff").expect("a file");
    for arguments in [&["test", "scripts"][..], &["test", "scripts/echo"], &["scripts", "lint", "scripts"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oneseat"));
        let output = command.args(arguments).current_dir(folder.path()).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let told = text(&output.stderr);
        assert_eq!(told.matches("v2.lua").count(), 1, "{told}");
        assert!(told.contains("scripts/echo/v2.lua: is not valid UTF-8"), "{told}");
    }
}

#[test]
fn a_tree_that_is_written_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = || [("echo/v1.lua", "one"), ("lib/say.lua", "two\r\n"), ("top.lua", "")];
    let label = folder.path().to_string_lossy();
    Tree::of(files()).write(folder.path()).expect("the folder is ours");
    assert_eq!(Tree::read(folder.path()).expect("it is there"), Tree::labelled(&label, files()));
}
