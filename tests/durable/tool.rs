//! `oneseat store` as an operator uses it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use oneseat::embedded::aof::folder::StoreFolder;
use serde_json::Value;
use tempfile::TempDir;

use crate::interchange::Redis;
use crate::store::{EVERYTHING, Store, content};

const FILE: &str = "appendonlydir/appendonly.aof.1.incr.aof";

fn run(data: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oneseat"));
    command.arg("store").args(args).arg("--dir").arg(data).output().expect("the binary runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn filled() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let store = Store::at(&folder.path().join("appendonlydir")).expect("it starts");
    let mut client = store.client();
    EVERYTHING.iter().for_each(|line| drop(client.line(line)));
    store.stop();
    folder
}

fn digest(data: &Path) -> u64 {
    StoreFolder::new(data.join("appendonlydir")).report().expect("it is sound").digest
}

#[test]
fn info_shows_files_and_keys_by_type() {
    let folder = filled();
    let output = run(folder.path(), &["info", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["keys"]["stream"], 3);
    assert_eq!(report["files"].as_array().map(Vec::len), Some(1));
    let shown = text(&run(folder.path(), &["info"]));
    assert!(shown.contains("stream") && shown.contains("digest"), "{shown}");
}

#[test]
fn check_tells_damage_with_its_place_and_fix_keeps_what_it_cuts_off() {
    let folder = filled();
    let path = folder.path().join(FILE);
    assert!(run(folder.path(), &["check"]).status.success());
    let mut bytes = fs::read(&path).expect("the file is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&path, &bytes).expect("it can be written");
    let output = run(folder.path(), &["check"]);
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(4), "{shown}");
    assert!(shown.contains("damaged at byte") && shown.contains("check --fix"), "{shown}");
    let output = run(folder.path(), &["check", "--fix", "--json"]);
    let mended: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let offset = mended["mended"]["offset"].as_u64().expect("a place") as usize;
    let kept = mended["mended"]["kept"][0].as_str().expect("a file");
    assert_eq!(fs::read(kept).expect("it is kept"), &bytes[offset..]);
    assert!(run(folder.path(), &["check"]).status.success());
    Store::at(&folder.path().join("appendonlydir")).expect("it starts");
}

#[test]
fn an_export_is_imported_here_and_piped_into_a_real_redis() {
    let folder = filled();
    let backup = folder.path().join("backup.resp");
    let backup = backup.to_str().expect("a plain path");
    let output = run(folder.path(), &["export", backup]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(run(folder.path(), &["export", backup]).status.code(), Some(2), "a file that is there is left alone");
    let other = TempDir::new().expect("a temporary folder");
    assert!(run(other.path(), &["import", backup]).status.success());
    assert_eq!(digest(other.path()), digest(folder.path()));
    let output = run(other.path(), &["import", backup]);
    assert_eq!(output.status.code(), Some(2), "a store is not overwritten: {}", text(&output));
    assert!(run(other.path(), &["import", backup, "--replace"]).status.success());

    let real = TempDir::new().expect("a temporary folder");
    let redis = Redis::start(real.path());
    let mut client = redis.client();
    client.send_raw(&fs::read(backup).expect("the export"));
    let store = Store::at(&other.path().join("appendonlydir")).expect("it starts");
    let ours = content(&mut store.client());
    client.send(&[b"ECHO", b"the end of the export"]);
    while client.reply() != "\"the end of the export\"" {}
    assert_eq!(content(&mut client), ours);
}

#[test]
fn a_bad_import_names_the_place_and_leaves_the_store_as_it_was() {
    let folder = filled();
    let before = digest(folder.path());
    let bad = folder.path().join("bad.resp");
    fs::write(&bad, b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n").expect("written");
    let output = run(folder.path(), &["import", bad.to_str().expect("a plain path"), "--replace"]);
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("at byte 27") && shown.contains("INCR"), "{shown}");
    assert_eq!(digest(folder.path()), before);
}

#[test]
fn an_import_counts_relative_deadlines_from_now() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("commands.resp");
    fs::write(&file, b"*4\r\n$5\r\nSETEX\r\n$1\r\na\r\n$4\r\n1000\r\n$1\r\nx\r\n").expect("written");
    assert!(run(folder.path(), &["import", file.to_str().expect("a plain path")]).status.success());
    let store = Store::at(&folder.path().join("appendonlydir")).expect("it starts");
    assert!(store.client().line("TTL a").trim_start_matches(':').parse::<i64>().is_ok_and(|left| left > 900));
}

#[test]
fn a_missing_store_is_told_with_the_way_to_name_it() {
    let folder = TempDir::new().expect("a temporary folder");
    let data = folder.path().join("nowhere");
    for args in [&["check"][..], &["info"], &["check", "--fix"], &["export", "-"]] {
        let output = run(&data, args);
        assert_eq!(output.status.code(), Some(4), "{args:?}");
        assert!(text(&output).contains("--dir"), "{}", text(&output));
    }
    assert!(!data.exists(), "looking makes nothing");
}
