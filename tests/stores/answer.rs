//! Answers that get lost, and scripts that give none.

use std::thread;

use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::{RedisServer, Server, Setup, wait_until};
use crate::truth::Store;

/// Cuts the node's connections again and again until `is_seen`: one of the cuts hits a call that is under way.
fn wait_cut(redis: &RedisServer, what: &str, is_seen: impl Fn() -> bool) {
    wait_until(what, || {
        redis.look().run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        is_seen().then_some(())
    });
}

/// A store that holds back every write until it is told otherwise, and a node on it.
fn hesitant() -> (RedisServer, Server) {
    let redis = RedisServer::start();
    let server = Setup::at(&redis.url()).set("redis.timeout_ms", 20_000).set("node.lease_ms", 120_000).start();
    (redis, server)
}

#[test]
fn g12_a_login_whose_connection_breaks_is_asked_again_and_seated_once() {
    let (redis, server) = hesitant();
    let token = server.admin.token(1000);
    redis.look().run(&["CLIENT", "PAUSE", "120000", "WRITE"]);
    let mut client = server.connect();
    client.send(1005, &json!({ "uid": 1000, "token": token }));
    let is_repeated = || server.log().lines().any(|line| line.contains("login@") && line.contains("is made again"));
    wait_cut(&redis, "the login is asked again", is_repeated);
    redis.look().run(&["CLIENT", "UNPAUSE"]);
    let reply = client.expect(1006);
    assert_eq!(reply["error"], 0, "{reply}");
    client.beat(1000);
    assert_eq!(redis.look().texts(&["ZRANGE", "os:{0}:roster", "0", "-1"]).len(), 1);
    assert_eq!(server.admin.seats(1000)[0]["sid"], reply["sid"]);
}

#[test]
fn what_may_not_run_twice_is_not_asked_again() {
    let (redis, server) = hesitant();
    redis.look().run(&["CLIENT", "PAUSE", "120000", "WRITE"]);
    thread::scope(|scope| {
        let order = scope.spawn(|| server.admin.post("/v1/tickets", &json!({ "uid": 1000 })));
        wait_cut(&redis, "the order is answered", || order.is_finished());
        let (status, answer) = order.join().expect("the admin API answers");
        assert!(matches!(status, 503 | 504), "{status} {answer}");
    });
    redis.look().run(&["CLIENT", "UNPAUSE"]);
    let log = server.log();
    let repeated: Vec<&str> =
        log.lines().filter(|line| line.contains("is made again") && line.contains("Lost(")).collect();
    assert!(!repeated.iter().any(|line| line.contains("ticket@") || line.contains("assign@")), "{repeated:#?}");
    server.admin.wait_ready();
    server.session(1000).beat();
}

#[test]
fn a_script_that_does_not_end_is_killed_on_the_server_that_it_holds_up() {
    let store = Cluster::start_with(&["--busy-reply-threshold", "300"]);
    let server = store.node("t1");
    server.change_login(9, "while uid == '4242' do end");
    let stuck = server.admin.token(4242);
    let reply = server.connect().log_in(4242, &stuck);
    assert_ne!(reply["error"], 0, "{reply}");
    assert!(server.log().contains("a script did not end and was killed"), "it is told");
    for uid in 1000..1020 {
        server.session(uid).beat();
    }
}
