//! Which tickets open a seat, for how long, and what those learn that do not.

use std::time::Duration;

use serde_json::json;

use crate::support::{Setup, StoreKind, clock_ms, on_both_stores, wait_until};

on_both_stores!(
    g11_a_displaced_device_with_its_old_ticket_is_refused_and_told_why,
    a_garbage_token_learns_nothing,
    defect_32_a_ticket_past_its_deadline_opens_nothing,
    the_deadline_does_not_run_while_the_seat_is_held,
    defect_33_an_empty_or_foreign_token_never_logs_in,
    a_kick_voids_every_ticket_used_or_not,
    a_backend_may_bring_its_own_token,
    tokens_never_appear_in_logs_or_in_the_store,
);

fn g11_a_displaced_device_with_its_old_ticket_is_refused_and_told_why(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut old = server.session(1001);
    let began_ms = clock_ms();
    let mut new = server.session(1001);
    old.client.expect(1021);

    for _ in 0..3 {
        let refused = server.connect().log_in(1001, &old.token);
        assert_eq!((&refused["error"], &refused["reason"]), (&json!(1010), &json!("displaced")), "{refused}");
        assert_eq!(refused["by"]["class"], "main", "{refused}");
        assert!(refused["by"]["address"].as_str().expect("an address").starts_with("127.0.0.1"), "{refused}");
        let at = refused["at"].as_u64().expect("the time is told");
        assert!((began_ms..=clock_ms()).contains(&at), "{refused}");
        new.beat();
    }
    assert_eq!(server.admin.seats(1001)[0]["sid"], new.sid());

    // Only a new ticket displaces.
    let mut newest = server.session(1001);
    assert_eq!(new.client.expect(1021)["reason"], "displaced");
    newest.beat();
}

fn a_garbage_token_learns_nothing(store: StoreKind) {
    let server = Setup::new(store).start();
    let _session = server.session(1001);
    let refused = server.connect().log_in(1001, "a token that nobody issued");
    assert_eq!(refused, json!({ "error": 1010 }));
    let unknown = server.connect().log_in(1002, "a token that nobody issued");
    assert_eq!(unknown, json!({ "error": 1011 }));
}

fn defect_32_a_ticket_past_its_deadline_opens_nothing(store: StoreKind) {
    let server = Setup::new(store).start();
    let ticket = server.admin.ticket(&json!({ "uid": 1001, "token": "short-lived", "ttl_ms": 1 }));
    let deadline = ticket["expires_at_ms"].as_u64().expect("a ticket has a deadline");
    wait_until("the deadline passes", || (clock_ms() > deadline).then_some(()));
    let refused = server.connect().log_in(1001, "short-lived");
    assert_eq!(refused, json!({ "error": 1010, "reason": "expired" }));
    server.assert_serves(1001);
}

fn the_deadline_does_not_run_while_the_seat_is_held(store: StoreKind) {
    let server = Setup::new(store).start();
    let token = "good-for-a-while";
    let ttl_ms = 1500;
    let ticket = server.admin.ticket(&json!({ "uid": 1001, "token": token, "ttl_ms": ttl_ms }));
    let deadline = ticket["expires_at_ms"].as_u64().expect("a ticket has a deadline");
    let mut first = server.session_with(1001, token.to_owned());
    wait_until("the deadline passes", || (clock_ms() > deadline).then_some(()));
    first.beat();

    // The same ticket resumes after its first deadline, and for a while after its session has left.
    let mut second = server.session_with(1001, token.to_owned());
    first.client.expect_goodbye("resumed");
    second.beat();
    drop(second);
    wait_until("the seat is free", || server.admin.seats(1001).is_empty().then_some(()));
    let left_ms = clock_ms();
    wait_until("the second deadline passes", || (clock_ms() > left_ms + ttl_ms).then_some(()));
    let refused = server.connect().log_in(1001, token);
    assert_eq!(refused, json!({ "error": 1010, "reason": "expired" }));
}

/// The old login service answered success to an empty token of a user without one.
fn defect_33_an_empty_or_foreign_token_never_logs_in(store: StoreKind) {
    let server = Setup::new(store).set("gateway.login_attempts_max", 100).start();
    let token = server.admin.token(1001);
    let mut client = server.connect();
    let wrong =
        [String::new(), " ".into(), token.to_uppercase() + "x", token[1..].into(), format!("{token} "), "0".repeat(32)];
    for token in &wrong {
        for uid in [1001, 1002] {
            let refused = client.log_in(uid, token);
            let expected = if uid == 1001 { 1010 } else { 1011 };
            assert_eq!(refused["error"], expected, "{uid} with {token:?}: {refused}");
        }
    }
    let foreign = client.log_in(1002, &token);
    assert_eq!(foreign["error"], 1011, "{foreign}");
    assert_eq!(client.log_in(1001, &token)["error"], 0);
}

fn a_kick_voids_every_ticket_used_or_not(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut session = server.session(1001);
    let unused = server.admin.token(1001);
    server.admin.kick(1001, "");
    assert_eq!(session.client.expect(1021)["reason"], "kicked");

    let held = server.connect().log_in(1001, &session.token);
    assert_eq!((&held["error"], &held["reason"]), (&json!(1010), &json!("kicked")), "{held}");
    let next = server.connect().log_in(1001, &unused);
    assert_eq!(next["error"], 1010, "{next}");
    server.assert_serves(1001);
}

fn a_backend_may_bring_its_own_token(store: StoreKind) {
    let server = Setup::new(store).start();
    let token = "brought by the backend";
    let ticket = server.admin.ticket(&json!({ "uid": 1001, "token": token, "class": "phone" }));
    assert_eq!((&ticket["token"], &ticket["class"]), (&json!(token), &json!("phone")), "{ticket}");
    assert_eq!(ticket["port"], server.address().port(), "{ticket}");
    let mut session = server.session_with(1001, token.to_owned());
    assert_eq!(session.reply["class"], "phone", "{}", session.reply);
    session.beat();
}

fn tokens_never_appear_in_logs_or_in_the_store(store: StoreKind) {
    let server = Setup::new(store).set("log.level", "trace").start();
    let session = server.session(1001);
    let unused = server.admin.token(1001);
    let wrong = "a-wrong-token-of-somebody";
    server.connect().log_in(1001, wrong);
    let stored = server.look().run(&["HGETALL", "os:{0}:ticket:1001"]).to_string();
    server.connect().next_within(Duration::from_millis(1));
    let log = server.log();
    for token in [session.token.as_str(), &unused, wrong] {
        assert!(!log.contains(token), "the log tells {token}");
        assert!(!stored.contains(token), "the store holds {token}: {stored}");
    }
    assert!(stored.contains("main:held"), "{stored}");
    assert!(log.contains("1001"), "nothing was logged at all");
}
