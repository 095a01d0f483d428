//! The clock of silence: who speaks stays, who does not is expired, never early and always with a word.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Seen, Server, Session, Setup, StoreKind, frame, on_both_stores, wait_until};

on_both_stores!(
    heartbeats_are_answered_with_and_without_a_body,
    defect_20_a_silent_client_is_expired_and_not_early,
    defect_19_a_connection_after_a_quiet_period_is_not_expired,
    defect_21_many_silent_clients_expire_while_newcomers_are_served,
    defect_23_an_expiry_is_cleaned_up_once,
    half_a_frame_is_no_sign_of_life,
    any_whole_frame_is_a_sign_of_life,
);

const LIMIT: Duration = Duration::from_millis(2000);

fn start(store: StoreKind) -> Server {
    Setup::new(store).set("heartbeat.interval_ms", 500).set("heartbeat.limit_ms", LIMIT.as_millis()).start()
}

fn heartbeats_are_answered_with_and_without_a_body(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut client = server.connect();
    for _ in 0..2 {
        for body in [&b""[..], b"{}", br#"{"fromuid":1001}"#, b"{ \"fromuid\" : 1001 }\n"] {
            client.send_bytes(&frame(1023, body));
            assert_eq!(client.expect(1024), json!({ "error": 0 }), "{}", String::from_utf8_lossy(body));
        }
        // The second round is that of a session.
        client.log_in(1001, &server.admin.token(1001));
    }
    client.send_bytes(&frame(1023, br#"{"fromuid":1002}"#));
    assert_eq!(client.expect(1024)["error"], 1104);
    client.beat(1001);
}

/// Beats until another client's connection ends; what that one was told.
fn beat_until_end(living: &mut Session, silent: &mut Session) -> Vec<(u16, serde_json::Value)> {
    let mut told = Vec::new();
    loop {
        match silent.client.next_within(LIMIT / 8) {
            Some(Seen::Frame(id, body)) => told.push((id, body)),
            Some(Seen::End) => return told,
            None => living.beat(),
        }
    }
}

/// The old server looked once a minute: anything from 21 to 81 seconds.
fn defect_20_a_silent_client_is_expired_and_not_early(store: StoreKind) {
    let server = start(store);
    let mut living = server.session(1001);
    let mut silent = server.session(1002);
    // It falls silent in the middle of its first span, so that neither its login nor a look at the clock is near.
    let begun = Instant::now();
    let spoke = loop {
        let spoke = Instant::now();
        living.beat();
        silent.beat();
        if begun.elapsed() > LIMIT / 2 {
            break spoke;
        }
        assert_eq!(silent.client.next_within(LIMIT / 10), None);
    };
    let told = beat_until_end(&mut living, &mut silent);
    assert!(spoke.elapsed() >= LIMIT, "expired after {:?}", spoke.elapsed());
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].0, &told[0].1["reason"]), (1101, &json!("expired")), "{told:?}");
    living.beat();
    wait_until("the seat is free", || {
        living.beat();
        server.admin.seats(1002).is_empty().then_some(())
    });
    assert_eq!(server.admin.seats(1001).len(), 1);

    // The device may come back with the ticket that it had.
    server.session_with(1002, silent.token.clone()).beat();
}

/// The old server started a connection's clock while it waited for the one before.
fn defect_19_a_connection_after_a_quiet_period_is_not_expired(store: StoreKind) {
    let server = start(store);
    let token = server.admin.token(1001);
    // One client's whole silence is the quiet period.
    server.session(1002).client.expect_goodbye("expired");
    let mut late = server.session_with(1001, token);
    let begun = Instant::now();
    while begun.elapsed() < LIMIT * 2 {
        late.beat();
        assert_eq!(late.client.next_within(LIMIT / 8), None);
    }
}

/// The old server ended its silent clients one after another on the thread that accepts.
fn defect_21_many_silent_clients_expire_while_newcomers_are_served(store: StoreKind) {
    let server = start(store);
    let mut silent: Vec<Session> = (2000..2080).map(|uid| server.session(uid)).collect();
    let mut living = server.session(1001);
    let mut last = silent.pop().expect("there are eighty");
    let mut newcomer = 3000;
    while !matches!(last.client.next_within(LIMIT / 20), Some(Seen::Frame(1101, _))) {
        server.session(newcomer).beat();
        living.beat();
        newcomer += 1;
    }
    for session in &mut silent {
        session.client.expect_goodbye("expired");
    }
    wait_until("only the living one has a seat", || {
        living.beat();
        (server.roster().len() == 1).then_some(())
    });
    assert_eq!(server.admin.seats(1001).len(), 1);
}

/// The old server cleaned up twice: once for the timer, once for the read that it broke off.
fn defect_23_an_expiry_is_cleaned_up_once(store: StoreKind) {
    let server = start(store);
    server.session(1001).client.expect_goodbye("expired");
    server.wait_sessions(0);
    assert_eq!(server.admin.events(1001), ["expired", "taken"]);
}

fn half_a_frame_is_no_sign_of_life(store: StoreKind) {
    let server = start(store);
    let mut session = server.session(1001);
    let spoke = Instant::now();
    let _ = session.client.try_send(&1023_u16.to_be_bytes());
    let _ = session.client.try_send(&2000_u16.to_be_bytes());
    let goodbye = loop {
        let _ = session.client.try_send(b" ");
        match session.client.next_within(LIMIT / 20) {
            Some(Seen::Frame(1101, body)) => break body,
            Some(other) => panic!("expected a goodbye, got {other:?}"),
            None => assert!(spoke.elapsed() < LIMIT * 20, "a client that sends single bytes is kept"),
        }
    };
    assert_eq!(goodbye["reason"], "expired", "{goodbye}");
    assert!(spoke.elapsed() >= LIMIT);
    server.wait_sessions(0);
}

fn any_whole_frame_is_a_sign_of_life(store: StoreKind) {
    let server = start(store);
    let mut session = server.session(1001);
    let begun = Instant::now();
    while begun.elapsed() < LIMIT * 2 {
        session.client.send_bytes(&frame(1999, b"whatever"));
        assert_eq!(session.client.next_within(LIMIT / 8), None, "an unknown id is ignored");
    }
    session.beat();
}

/// A million idle clients must not be a million calls each interval.
#[test]
fn heartbeats_do_not_touch_the_store() {
    let server = Setup::new(StoreKind::Redis).set("node.beat_ms", 600_000).set("node.lease_ms", 3_600_000).start();
    let mut session = server.session(1001);
    let calls = || -> u64 {
        let statistics = server.look().run(&["INFO", "commandstats"]);
        let text = statistics.as_str().expect("statistics are text");
        let line = text.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        line.and_then(|line| line.split(',').next()?.parse().ok()).expect("scripts were called")
    };
    let before = calls();
    for _ in 0..500 {
        session.beat();
    }
    // The node itself may have had something to say; it does not speak once per heartbeat.
    assert!(calls() - before < 10, "{} script calls", calls() - before);
}
