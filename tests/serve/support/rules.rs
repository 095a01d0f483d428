//! Versions of scripts that tests push: the shipped `login` with a small change, in a folder as an operator has it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::node::{Server, Told};

const COUNT: &str = include_str!("../../../lua/count/v1.lua");
/// The newest version that is built in; what tests push are those after it.
const LOGIN: &str = include_str!("../../../lua/login/v2.lua");
/// The line of `login` before which nothing is decided.
const START: &str = "-- 1. Guard:";

/// A folder of scripts.
pub struct Rules {
    folder: TempDir,
}

impl Rules {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Writes `login` under another number, with `code` before it decides anything. Answers its path.
    pub fn login(&self, version: u32, code: &str) -> String {
        self.write("login", version, &login(version, code))
    }

    /// Writes a version of a script.
    pub fn write(&self, name: &str, version: u32, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).expect("the folder is ours");
        let path = path.join(format!("v{version}.lua"));
        fs::write(&path, text).expect("the folder is ours");
        path.to_str().expect("a plain path").to_owned()
    }
}

/// The text of `login` under another number, with `code` before it decides anything.
pub fn login(version: u32, code: &str) -> String {
    let change = format!("-- @change v{version} what a test wants.\n");
    let text = LOGIN
        .replacen("-- login v2:", &format!("-- login v{version}:"), 1)
        .replacen("-- @include", &format!("{change}-- @include"), 1)
        .replacen(START, &format!("{code}\n{START}"), 1);
    assert!(text.contains(code) && text.contains(&change), "login v2 is not what it was");
    text
}

/// The text of `count` under another number, with one text in it replaced by another.
pub fn count(version: u32, from: &str, to: &str) -> String {
    let text = COUNT.replacen("-- count v1:", &format!("-- count v{version}:"), 1).replacen(
        "-- @effect",
        &format!("-- @change v{version} what a test wants.\n-- @effect"),
        1,
    );
    assert!(text.contains(from) && text.contains("@change"), "count v1 is not what it was");
    text.replacen(from, to, 1)
}

impl Server {
    /// Runs `oneseat scripts ...`.
    pub fn scripts(&self, arguments: &[&str]) -> Told {
        self.run(&[&["scripts"], arguments].concat())
    }

    /// As [`Server::scripts`], with an answer for machines.
    #[track_caller]
    pub fn scripts_json(&self, arguments: &[&str]) -> Value {
        let out = self.scripts(&[arguments, &["--json"]].concat()).done();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Pushes a version of `login` and has all nodes run it.
    #[track_caller]
    pub fn change_login(&self, version: u32, code: &str) {
        self.scripts(&["push", &Rules::new().login(version, code)]).done();
        self.scripts(&["activate", "login", &version.to_string()]).done();
    }

    /// The script version that seated a user.
    pub fn decided_by(&self, uid: u64) -> String {
        self.admin.seats(uid)[0]["version"].as_str().expect("a seat names its script").to_owned()
    }
}
