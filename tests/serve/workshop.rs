//! A node for those who write scripts: it runs a folder, and every save is tested first.

use std::fs;

use serde_json::Value;

use crate::support::rules::{self, Rules};
use crate::support::{RedisServer, Server, Setup, StoreKind, wait_until};

fn watching(rules: &Rules) -> Setup {
    Setup::new(StoreKind::Embedded).set("scripts.dir", rules.folder().display()).argument("--watch")
}

/// The folders in which the tests of a server's scripts lie; its environment is empty, so they are here.
fn snapshots(server: &Server) -> usize {
    let of_server = format!("oneseat-scripts-{}-", server.pid());
    let names = fs::read_dir("/tmp").expect("every system has it").flatten().map(|entry| entry.file_name());
    names.filter(|name| name.to_string_lossy().starts_with(&of_server)).count()
}

#[test]
fn every_save_is_tested_and_runs_if_it_passes() {
    let rules = Rules::new();
    let path = rules.login(3, "-- first");
    let server = watching(&rules).start();
    let mut session = server.session(1001);
    assert_eq!(server.decided_by(1001), "login@3");

    rules.login(4, "-- a new file");
    wait_until("the new version runs", || {
        let _session = server.session(1002);
        (server.decided_by(1002) == "login@4").then_some(())
    });
    // A mistake is told, and what passed before runs on.
    fs::write(&path, rules::login(3, "return nil .. 1")).expect("the folder is ours");
    rules.login(5, "error('broken')");
    wait_until("the failure is told", || server.log().contains("did not pass their tests").then_some(()));
    let _third = server.session(1003);
    assert_eq!(server.decided_by(1003), "login@4");
    rules.login(3, "-- mended");
    rules.login(5, "-- mended");
    wait_until("the mended version runs", || {
        let _session = server.session(1004);
        (server.decided_by(1004) == "login@5").then_some(())
    });
    session.beat();
}

#[test]
fn a_folder_is_refused_on_a_store_that_others_share_unless_forced() {
    let redis = RedisServer::start();
    let rules = Rules::new();
    rules.login(3, "-- tried out");
    let setup = || Setup::at(&redis.url()).set("scripts.dir", rules.folder().display());
    let ended = setup().run_to_end();
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(ended.log.contains("scripts.dir is for development"), "{}", ended.log);
    let server = setup().argument("--force").start();
    let _session = server.session(1001);
    assert_eq!(server.decided_by(1001), "login@3");
}

#[test]
fn a_folder_that_is_broken_or_missing_refuses_the_start_with_its_place() {
    let rules = Rules::new();
    rules.write("login", 3, "-- nothing");
    let ended = Setup::new(StoreKind::Embedded).set("scripts.dir", rules.folder().display()).run_to_end();
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(ended.log.contains("login/v3.lua:1: "), "{}", ended.log);
    let ended = Setup::new(StoreKind::Embedded).set("scripts.dir", "/nowhere/at/all").run_to_end();
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(ended.log.contains("/nowhere/at/all"), "{}", ended.log);
    let ended = Setup::new(StoreKind::Embedded).argument("--watch").run_to_end();
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(ended.log.contains("--watch has no folder to watch"), "{}", ended.log);
}

#[test]
fn a_folder_that_fails_its_tests_refuses_the_start_with_their_report() {
    let rules = Rules::new();
    rules.login(3, "error('broken')");
    let folder = rules.folder().display().to_string();
    for setup in [watching(&rules), Setup::new(StoreKind::Embedded).set("scripts.dir", &folder)] {
        let ended = setup.run_to_end();
        assert_eq!(ended.code, 2, "{}", ended.log);
        assert!(ended.log.contains(&format!("the folder {folder} did not pass their tests")), "{}", ended.log);
        assert!(ended.log.contains("\nFAIL lua/login/test.lua:"), "{}", ended.log);
        assert!(
            ended.log.contains(&format!("{folder}/login/v3.lua:")),
            "places are those of the folder: {}",
            ended.log
        );
        assert!(ended.log.contains(" failed"), "the numbers, too: {}", ended.log);
    }
}

#[test]
fn an_empty_folder_is_a_place_to_begin() {
    let rules = Rules::new();
    let server = watching(&rules).start();
    rules.login(3, "-- the first file");
    wait_until("it runs", || {
        let _session = server.session(1001);
        (server.decided_by(1001) == "login@3").then_some(())
    });
}

#[test]
fn what_runs_is_what_was_tested_although_the_folder_changes_meanwhile() {
    let rules = Rules::new();
    let server = watching(&rules).start();
    rules.login(3, "-- tested");
    wait_until("the tests of it run", || (snapshots(&server) > 0).then_some(()));
    rules.login(4, "error('saved while the tests ran')");
    wait_until("the tests of both have failed", || server.log().contains("did not pass their tests").then_some(()));
    assert!(server.log().contains("passed their tests and run now"), "the first has passed: {}", server.log());
    let _session = server.session(1001);
    assert_eq!(server.decided_by(1001), "login@3");
    wait_until("no copy is left", || (snapshots(&server) == 0).then_some(()));
}

#[test]
fn what_the_tests_say_is_part_of_the_log() {
    let rules = Rules::new();
    let server = watching(&rules).set("log.format", "json").start();
    wait_until("the banner is printed", || server.log().contains("who sits there, and what happened\n").then_some(()));
    let from = server.log().len();
    let event = |message: &str| -> Value {
        wait_until(message, || {
            let log = server.log()[from..].to_owned();
            let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            log.lines().map(read).find(|event: &Value| event["message"].as_str().is_some_and(|m| m.contains(message)))
        })
    };
    rules.login(3, "-- good");
    let passed = event("passed their tests and run now");
    assert!(passed["tests"].as_str().is_some_and(|tests| tests.ends_with(" passed, 0 failed")), "{passed}");

    rules.login(3, "error('broken')");
    let failed = event("did not pass their tests");
    assert_eq!(failed["level"], "WARN");
    let lines: Vec<_> = failed["failures"].as_str().expect("a text").lines().collect();
    assert!(lines[0].starts_with("FAIL lua/login/test.lua:"), "{lines:?}");
    let place = format!("{}/login/v3.lua:", rules.folder().display());
    assert!(lines[1].contains(&place), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("FAIL ")).count(), 20, "and no more: {lines:?}");
}

#[test]
fn what_keeps_the_tests_from_being_run_is_told_too() {
    let rules = Rules::new();
    let server = watching(&rules).start();
    let folder = rules.folder().join("nosuch");
    fs::create_dir(&folder).expect("the folder is ours");
    fs::write(folder.join("test.lua"), "it('x', function() end)").expect("the folder is ours");
    wait_until("a test of nothing is told", || {
        server.log().contains("tests `nosuch`, of which there is no version").then_some(())
    });
    fs::remove_file(folder.join("test.lua")).expect("the folder is ours");
    std::os::unix::fs::symlink("/dev/zero", folder.join("v2.lua")).expect("the folder is ours");
    wait_until("a file without an end is told", || server.log().contains("v2.lua: is no regular file").then_some(()));
    server.assert_serves(1001);
}
