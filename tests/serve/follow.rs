//! Nodes that have to follow: what they miss they find, and what they cannot run they say.

use serde_json::{Value, json};

use crate::support::rules::Rules;
use crate::support::{RedisServer, Server, Setup, StoreKind, on_both_stores, wait_until};

on_both_stores!(
    a_lost_announcement_is_found_at_the_next_beat,
    a_node_that_cannot_follow_says_so_and_serves_on,
    a_store_that_forgot_is_given_the_versions_that_run,
);

fn pointers(server: &Server) -> Value {
    server.look().run(&["HGET", "os:{dir}:scripts", "login:active"])
}

/// The pointer changes without a word: what a subscriber that was away for a moment sees.
fn a_lost_announcement_is_found_at_the_next_beat(store: StoreKind) {
    let server = Setup::new(store).start();
    server.scripts(&["push", &Rules::new().login(3, "-- as before")]).done();
    let digest = server.scripts_json(&["list"])["versions"]
        .as_array()
        .and_then(|versions| {
            versions.iter().find(|version| version["name"] == "login" && version["version"] == 3).cloned()
        })
        .map(|version| version["release"]["digest"].as_str().unwrap_or_default().to_owned())
        .expect("it was pushed");
    let mut look = server.look();
    look.run(&["HSET", "os:{dir}:scripts", "login:active", "3", "login:digest", &digest]);
    look.run(&["HINCRBY", "os:{dir}:scripts", "revision", "1"]);
    wait_until("the node has followed", || {
        let _session = server.session(1001);
        (server.decided_by(1001) == "login@3").then_some(())
    });
}

fn a_node_that_cannot_follow_says_so_and_serves_on(store: StoreKind) {
    let server = Setup::new(store).start();
    server.scripts(&["push", &Rules::new().login(3, "-- as before")]).done();
    server.scripts(&["activate", "login", "3"]).done();
    let mut session = server.session(1001);
    // The text is lost while the pointer stays: the node has it, but another version cannot be had.
    server.look().run(&["HSET", "os:{dir}:scripts", "login:active", "4", "login:digest", "none"]);
    server.look().run(&["HINCRBY", "os:{dir}:scripts", "revision", "1"]);
    let ready = wait_until("the node says that it cannot follow", || {
        server.admin.try_get("/readyz").filter(|(status, _)| *status == 503).map(|(_, body)| body)
    });
    assert!(ready.contains("the fleet chose login@4, but its text is not there"), "{ready}");
    assert_eq!(server.metric("oneseat_script_behind"), 1);
    session.beat();
    let _other = server.session(1002);
    assert_eq!(server.decided_by(1002), "login@3");
    wait_until("the fleet knows", || {
        let node = server.scripts_json(&["status"])["nodes"][0].clone();
        (node["follows"] == false && node["trouble"].as_str().is_some_and(|text| text.contains("login@4")))
            .then_some(())
    });
    server.scripts(&["push", &Rules::new().login(5, "-- another")]).done();
    let told = server.scripts(&["activate", "count", "1", "--timeout", "1"]);
    assert_eq!(told.code, 1, "nothing changes, but the node does not run what the fleet chose: {told:?}");
    assert!(told.out.contains("t1: DOES NOT FOLLOW: the fleet chose login@4"), "{told:?}");
    // The broken pointer is replaced, so the node can follow again.
    server.scripts(&["activate", "login", "5"]).done();
    server.admin.wait_ready();
    assert_eq!(server.metric("oneseat_script_behind"), 0);
    session.beat();
}

/// Redis lost everything; the live node puts back what it runs, and nobody notices but for the history.
fn a_store_that_forgot_is_given_the_versions_that_run(store: StoreKind) {
    let server = Setup::new(store).set("node.verify_ms", 500).start();
    server.change_login(3, "-- as before");
    let mut session = server.session(1001);
    server.look().run(&["FLUSHALL"]);
    wait_until("the pointer is back", || (pointers(&server) == json!("3")).then_some(()));
    wait_until("the session is seated again", || (!server.admin.seats(1001).is_empty()).then_some(()));
    session.beat();
    server.admin.wait_ready();
    let _other = server.session(1002);
    assert_eq!(server.decided_by(1002), "login@3");
    server.scripts(&["activate", "login", "2"]).done();
}

/// `activate` names the node that did not follow, and why.
#[test]
fn a_node_that_does_not_follow_is_named() {
    let redis = RedisServer::start();
    let node = |name: &str| Setup::at(&redis.url()).set("node.name", name);
    let one = node("t1").start();
    let rules = Rules::new();
    rules.login(9, "-- tried out");
    let folder = rules.folder();
    let _two = node("t2").set("scripts.dir", folder.display()).argument("--force").start();
    one.scripts(&["push", &Rules::new().login(3, "-- as before")]).done();
    let told = one.scripts(&["activate", "login", "3", "--timeout", "1"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.out.contains("t1: follows"), "{told:?}");
    assert!(told.out.contains("t2: DOES NOT FOLLOW: it runs the scripts of the folder"), "{told:?}");
    assert!(told.errors.contains("1 of 2 nodes did not follow within 1 s"), "{told:?}");
    let machine = one.scripts(&["activate", "login", "3", "--timeout", "1", "--json"]);
    let answer: Value = serde_json::from_str(&machine.out).expect("one document");
    assert_eq!((machine.code, &answer["nodes"][1]["follows"]), (1, &json!(false)), "{answer}");
}

/// A text that is not what the digest says is never run, wherever it comes from.
#[test]
fn a_node_refuses_a_text_that_was_changed_in_the_store() {
    let redis = RedisServer::start();
    let node = |name: &str| Setup::at(&redis.url()).set("node.name", name);
    let one = node("t1").start();
    one.change_login(3, "-- as before");
    let source = redis.look().run(&["HGET", "os:{dir}:sources", "login@3"]);
    let changed = source.as_str().expect("a source").replace("-- as before", "-- AS BEFORE");
    redis.look().run(&["HSET", "os:{dir}:sources", "login@3", &changed]);
    let ended = node("t2").run_to_end();
    assert_eq!(ended.code, 6, "{}", ended.log);
    assert!(ended.log.contains("login@3: its text has the digest"), "{}", ended.log);
    one.assert_serves(1001);
}

/// What a fleet keeps under a number is what runs, also where a binary was built from other files.
#[test]
fn a_binary_with_another_text_runs_that_of_the_fleet_and_says_so() {
    let redis = RedisServer::start();
    let mut one = Setup::at(&redis.url()).start();
    one.kill();
    let mut look = redis.look();
    // The fleet's login@2 becomes one that this binary was not built with.
    let source = look.run(&["HGET", "os:{dir}:sources", "login@2"]);
    let mut source: Value = serde_json::from_str(source.as_str().expect("a source")).expect("JSON");
    let text = format!("{}-- of another build\n", source["text"].as_str().expect("a text"));
    let digest = look.run(&["SCRIPT", "LOAD", &text]);
    let digest = digest.as_str().expect("a digest").to_owned();
    let release = look.run(&["HGET", "os:{dir}:releases", "login@2"]);
    let mut release: Value = serde_json::from_str(release.as_str().expect("a release")).expect("JSON");
    (source["text"], release["digest"]) = (json!(text), json!(digest));
    look.run(&["HSET", "os:{dir}:sources", "login@2", &source.to_string()]);
    look.run(&["HSET", "os:{dir}:releases", "login@2", &release.to_string()]);
    look.run(&["HSET", "os:{dir}:scripts", "login:digest", &digest]);
    one.start_again();
    one.assert_serves(1001);
    assert!(one.log().contains("this binary has another text under this number"), "{}", one.log());
    assert!(one.scripts(&["show", "login@2"]).done().contains("-- of another build"));
}

/// A store that is away for a moment says nothing about versions: the node is ready again as soon as it is back.
#[test]
fn a_store_that_was_away_leaves_no_node_behind() {
    let redis = RedisServer::start();
    let server = Setup::at(&redis.url()).set("redis.timeout_ms", 300).start();
    server.change_login(3, "-- as before");
    for _ in 0..3 {
        redis.pause();
        // Somebody may announce something while nobody can be asked.
        wait_until("the node notices", || server.admin.try_get("/readyz").filter(|(status, _)| *status == 503));
        redis.resume();
        redis.look().run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        server.admin.wait_ready();
    }
    assert_eq!(server.metric("oneseat_script_behind"), 0);
    let _session = server.session(1001);
    assert_eq!(server.decided_by(1001), "login@3");
}

/// Redis lost everything, and a fresh node finds it before the others do. What was chosen is chosen again, with text
/// and test result, once somebody is back who runs it.
#[test]
fn a_fresh_node_after_a_loss_of_data_downgrades_nobody() {
    let redis = RedisServer::start();
    let node = |name: &str| Setup::at(&redis.url()).set("node.name", name).set("node.lease_ms", 1000);
    let one = node("t1").start();
    one.change_login(3, "-- as before");
    one.scripts(&["push", &Rules::new().login(4, "-- tried out")]).done();
    one.scripts(&["activate", "login", "4", "--percent", "1"]).done();
    one.signal(rustix::process::Signal::STOP);
    redis.look().run(&["FLUSHALL"]);
    let two = node("t2").start();
    let before = two.session(1001);
    assert_eq!(two.decided_by(1001), "login@2");
    drop(before);
    one.signal(rustix::process::Signal::CONT);
    wait_until("what was chosen is chosen again", || {
        let _session = two.session(1001);
        (two.decided_by(1001) == "login@3").then_some(())
    });
    wait_until("both nodes follow", || {
        let status = two.scripts_json(&["status"]);
        let nodes = status["nodes"].as_array().expect("nodes").clone();
        (nodes.len() == 2 && nodes.iter().all(|node| node["follows"] == true)).then_some(())
    });
    let list = two.scripts(&["list"]).done();
    let kept = |version: &str| {
        let is_of = |line: &str| line.split_whitespace().take(2).eq(["login", version]);
        list.lines().any(|line| is_of(line) && line.contains("passed"))
    };
    assert!(kept("3") && kept("4"), "texts and results are back: {list}");
}

/// A node that the change kills is no node that followed.
#[test]
fn a_node_that_dies_during_an_activation_is_named() {
    let redis = RedisServer::start();
    let node = |name: &str| Setup::at(&redis.url()).set("node.name", name).set("node.lease_ms", 1000);
    let (one, two) = (node("t1").start(), node("t2").start());
    one.scripts(&["push", &Rules::new().login(3, "-- as before")]).done();
    two.signal(rustix::process::Signal::STOP);
    let told = one.scripts(&["activate", "login", "3", "--timeout", "3"]);
    two.signal(rustix::process::Signal::CONT);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(
        told.out.contains("t1: follows") && told.out.contains("t2: DOES NOT FOLLOW: it has died or left"),
        "{told:?}"
    );
}

/// What somebody broke in the store is left out and named, and nothing else stops.
#[test]
fn garbage_in_the_store_stops_nobody() {
    let redis = RedisServer::start();
    let server = Setup::at(&redis.url()).start();
    let mut look = redis.look();
    for garbage in ["garbage", "{}", "[]", r#"{"summary":3}"#] {
        look.run(&["HSET", "os:{dir}:releases", "foo@1", garbage, "os@x", garbage]);
        look.run(&["LPUSH", "os:{dir}:history", garbage]);
    }
    look.run(&["HSET", "os:{dir}:stats", "t9", "garbage"]);
    // A script that this binary does not know and cannot read, made active.
    look.run(&["HSET", "os:{dir}:scripts", "foo:active", "1", "foo:digest", "none", "foo:since", "1"]);
    server.change_login(3, "-- as before");
    let _session = server.session(1001);
    assert_eq!(server.decided_by(1001), "login@3");
    for command in ["list", "status", "history"] {
        server.scripts(&[command]).done();
    }
    server.scripts(&["rollback", "login"]).done();
    assert_eq!(server.metric("oneseat_script_behind"), 0);
    // Without any choice the node keeps what it has, and chooses it again.
    look.run(&["DEL", "os:{dir}:scripts"]);
    wait_until("the choice is back", || {
        (look.run(&["HGET", "os:{dir}:scripts", "login:active"]) == json!("2")).then_some(())
    });
    server.assert_serves(1002);
}
