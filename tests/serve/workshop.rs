//! A node for those who write scripts: it runs a folder, and every save is tested first.

use std::fs;

use crate::support::rules::{self, Rules};
use crate::support::{RedisServer, Setup, StoreKind, wait_until};

#[test]
fn every_save_is_tested_and_runs_if_it_passes() {
    let rules = Rules::new();
    let path = rules.login(2, "-- first");
    let server =
        Setup::new(StoreKind::Embedded).set("scripts.dir", rules.folder().display()).argument("--watch").start();
    let mut session = server.session(1001);
    assert_eq!(server.decided_by(1001), "login@2");

    rules.login(3, "-- a new file");
    wait_until("the new version runs", || {
        let _session = server.session(1002);
        (server.decided_by(1002) == "login@3").then_some(())
    });
    // A mistake is told, and what passed before runs on.
    fs::write(&path, rules::login(2, "return nil .. 1")).expect("the folder is ours");
    rules.login(4, "error('broken')");
    wait_until("the failure is told", || server.log().contains("did not pass their tests").then_some(()));
    let _third = server.session(1003);
    assert_eq!(server.decided_by(1003), "login@3");
    rules.login(2, "-- mended");
    rules.login(4, "-- mended");
    wait_until("the mended version runs", || {
        let _session = server.session(1004);
        (server.decided_by(1004) == "login@4").then_some(())
    });
    session.beat();
}

#[test]
fn a_folder_is_refused_on_a_store_that_others_share_unless_forced() {
    let redis = RedisServer::start();
    let rules = Rules::new();
    rules.login(2, "-- tried out");
    let setup = || Setup::at(&redis.url()).set("scripts.dir", rules.folder().display());
    let ended = setup().run_to_end();
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(ended.log.contains("scripts.dir is for development"), "{}", ended.log);
    let server = setup().argument("--force").start();
    let _session = server.session(1001);
    assert_eq!(server.decided_by(1001), "login@2");
}

#[test]
fn a_folder_that_is_broken_or_missing_refuses_the_start_with_its_place() {
    let rules = Rules::new();
    rules.write("login", 2, "-- nothing");
    let ended = Setup::new(StoreKind::Embedded).set("scripts.dir", rules.folder().display()).run_to_end();
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(ended.log.contains("login/v2.lua:1: "), "{}", ended.log);
    let ended = Setup::new(StoreKind::Embedded).set("scripts.dir", "/nowhere/at/all").run_to_end();
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(ended.log.contains("/nowhere/at/all"), "{}", ended.log);
    let ended = Setup::new(StoreKind::Embedded).argument("--watch").run_to_end();
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(ended.log.contains("--watch has no folder to watch"), "{}", ended.log);
}
