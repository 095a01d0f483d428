//! Two nodes on one store: what one does must never wait for the other.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{RedisServer, Server, Session, Setup, wait_until};

fn pair(redis: &RedisServer) -> (Server, Server) {
    let node = |name: &str| {
        Setup::at(&redis.url()).set("node.name", name).set("node.beat_ms", 100).set("node.lease_ms", 1000).start()
    };
    (node("t1"), node("t2"))
}

#[test]
fn a_takeover_reaches_the_other_node() {
    let redis = RedisServer::start();
    let (one, two) = pair(&redis);
    let mut old = one.session(1001);
    let mut new = two.session(1001);
    let notice = old.client.expect(1021);
    assert_eq!((&notice["reason"], &notice["epoch"]), (&json!("displaced"), &json!(new.epoch())), "{notice}");
    old.client.expect_end();
    new.beat();
    assert_eq!(two.admin.seats(1001)[0]["node"], "t2");

    let mut resumed = one.session_with(1001, new.token.clone());
    new.client.expect_goodbye("resumed");
    resumed.beat();
}

/// The old server called the other node while it held its only thread: a node that hung stopped all others.
#[test]
fn g6_defect_35_a_login_does_not_wait_for_a_hanging_node() {
    let redis = RedisServer::start();
    let (one, two) = pair(&redis);
    let mut old = one.session(1001);
    one.signal(Signal::STOP);
    let begun = Instant::now();
    let mut new = two.session(1001);
    new.beat();
    let took = begun.elapsed();
    one.signal(Signal::CONT);
    assert!(took < Duration::from_secs(5), "the login took {took:?}");
    // Whoever hung is told when it can hear again.
    assert_eq!(old.client.expect(1021)["reason"], "displaced");
    new.beat();
}

/// The old server ignored it when a kick did not arrive: both devices stayed on line.
#[test]
fn defect_08_a_kick_that_got_lost_is_found_by_the_next_verify() {
    let redis = RedisServer::start();
    let (one, two) = pair(&redis);
    let mut old = one.session(1001);
    one.signal(Signal::STOP);
    // Its subscription is cut while it cannot make another: what is published now is lost to it.
    redis.look().run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    let mut new = wait_until("the other node hears itself again", || {
        two.admin.wait_ready();
        let channels = redis.look().run(&["PUBSUB", "NUMSUB", "os:node:t1", "os:node:t2"]);
        (channels == json!(["os:node:t1", 0, "os:node:t2", 1])).then(|| two.session(1001))
    });
    one.signal(Signal::CONT);
    let notice = old.client.expect(1021);
    assert_eq!((&notice["reason"], &notice["uid"]), (&json!("displaced"), &json!(1001)), "{notice}");
    old.client.expect_end();
    new.beat();
    assert_eq!(two.admin.seats(1001)[0]["sid"], new.sid());
}

/// The other node sees its client's end only when somebody else has the seat, and reports it nevertheless.
#[test]
fn g3_a_late_logout_of_another_node_does_not_touch_the_new_holder() {
    let redis = RedisServer::start();
    let (one, two) = pair(&redis);
    let leaving: Vec<Session> = (1001..1011).map(|uid| one.session(uid)).collect();
    one.signal(Signal::STOP);
    drop(leaving);
    redis.look().run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    let mut newer: Vec<Session> = (1001..1011).map(|uid| two.session(uid)).collect();
    one.signal(Signal::CONT);
    wait_until("the other node has noticed", || (one.metric("oneseat_sessions") == 0).then_some(()));
    one.session(2000).beat();
    for session in &mut newer {
        session.beat();
        let seats = two.admin.seats(session.uid);
        assert_eq!(seats.len(), 1, "{}", session.uid);
        assert_eq!(seats[0]["sid"], session.sid());
    }
}

/// The old assignment went on sending users to a node that had died.
#[test]
fn defect_29_nobody_is_sent_to_a_node_that_died() {
    let redis = RedisServer::start();
    let (mut one, two) = pair(&redis);
    let _held = two.session(1001);
    wait_until("the other node is the emptier one", || {
        let ticket = two.admin.ticket(&json!({ "uid": 1002 }));
        (ticket["port"] == one.address().port()).then_some(())
    });
    one.kill();
    wait_until("its lease is out", || (two.admin.node("t1")?["live"] == false).then_some(()));
    for uid in 2000..2010 {
        let ticket = two.admin.ticket(&json!({ "uid": uid }));
        assert_eq!(ticket["port"], two.address().port(), "{ticket}");
    }
}
