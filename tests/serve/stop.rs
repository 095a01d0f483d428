//! The server is asked to stop: every client is told, every seat is given up, and it takes no longer than it may.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Client, RedisServer, Session, Setup, StoreKind, on_both_stores};

on_both_stores!(sigterm_tells_everybody_and_ends_well, an_interrupt_ends_well_too);

/// `gateway.shutdown_ms` of the defaults, and what a slow machine adds.
const STOP_MAX: Duration = Duration::from_secs(15);

fn sigterm_tells_everybody_and_ends_well(store: StoreKind) {
    let mut server = Setup::new(store).start();
    let mut sessions: Vec<Session> = (1001..1101).map(|uid| server.session(uid)).collect();
    let mut bare: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    bare.iter_mut().for_each(|client| client.beat(1001));
    server.signal(Signal::TERM);
    for session in &mut sessions {
        let goodbye = session.client.expect_goodbye("shutdown");
        assert_eq!(goodbye["error"], 1101, "{goodbye}");
        assert!(goodbye["retry_after_ms"].as_u64() > Some(0), "{goodbye}");
    }
    for client in &mut bare {
        client.expect_goodbye("shutdown");
    }
    let (code, took) = server.wait_exit();
    assert_eq!(code, Some(0), "{}", server.log());
    assert!(took < STOP_MAX, "{took:?}");
    if store == StoreKind::Redis {
        assert_eq!(server.roster(), [""; 0]);
        assert_eq!(server.look().texts(&["ZRANGE", "os:{dir}:leases", "0", "-1"]), ["|beat", "|calm"]);
    }
    server.start_again();
    server.wait_sessions(0);
    server.assert_serves(1001);
}

fn an_interrupt_ends_well_too(store: StoreKind) {
    let mut server = Setup::new(store).start();
    let mut session = server.session(1001);
    server.signal(Signal::INT);
    session.client.expect_goodbye("shutdown");
    let (code, _) = server.wait_exit();
    assert_eq!(code, Some(0), "{}", server.log());
}

#[test]
fn clients_that_do_not_close_delay_the_stop_no_longer_than_allowed() {
    let setup = Setup::new(StoreKind::Embedded).set("gateway.shutdown_ms", 1000).set("kick.grace_ms", 600_000);
    let mut server = setup.start();
    let _stubborn: Vec<Session> = (1001..1011).map(|uid| server.session(uid)).collect();
    server.signal(Signal::TERM);
    let (code, took) = server.wait_exit();
    assert_eq!(code, Some(0), "{}", server.log());
    assert!(took < STOP_MAX, "{took:?}");
}

#[test]
fn a_stop_in_the_midst_of_logins_leaves_no_ghost() {
    let mut server = Setup::new(StoreKind::Redis).start();
    for round in 0..3_u64 {
        let tokens: Vec<String> = (0..40).map(|uid| server.admin.token(1000 + uid)).collect();
        let mut clients: Vec<Client> = tokens.iter().map(|_| server.connect()).collect();
        for (uid, (client, token)) in (1000..).zip(clients.iter_mut().zip(&tokens)) {
            client.send(1005, &json!({ "uid": uid, "token": token }));
        }
        server.signal(Signal::TERM);
        let (code, took) = server.wait_exit();
        assert_eq!(code, Some(0), "round {round}: {}", server.log());
        assert!(took < STOP_MAX, "round {round}: {took:?}");
        assert_eq!(server.roster(), [""; 0], "round {round}");
        server.start_again();
    }
}

#[test]
fn a_stop_while_the_store_is_away_is_bounded_and_the_next_start_clears_up() {
    let mut redis = RedisServer::start();
    let setup = || Setup::at(&redis.url()).set("gateway.shutdown_ms", 1500).set("redis.timeout_ms", 500);
    let mut server = setup().start();
    let mut session = server.session(1001);
    redis.pause();
    server.signal(Signal::TERM);
    session.client.expect_goodbye("shutdown");
    let (code, took) = server.wait_exit();
    assert_eq!(code, Some(0), "{}", server.log());
    assert!(took < STOP_MAX, "{took:?}");
    redis.resume();
    server.start_again();
    assert_eq!(redis.look().texts(&["ZRANGE", "os:{0}:roster", "0", "-1"]), [""; 0]);
    redis.kill();
}
