//! What a login answers, and what one connection may do before, after and instead of it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Client, Seen, Setup, StoreKind, frame, on_both_stores, wait_until};

on_both_stores!(
    a_login_answers_who_and_how_to_stay,
    defect_03_login_twice_on_one_connection_is_not_a_kick,
    a_newer_ticket_on_the_same_connection_keeps_the_session,
    defect_04_a_second_uid_on_one_connection_is_refused,
    defect_05_a_disconnect_while_the_login_runs_leaves_no_ghost,
    defect_14_nobody_acts_for_another_user_or_without_login,
    defect_18_a_login_sent_with_the_connect_is_served,
    defect_25_heartbeats_do_not_stand_for_a_login,
    a_half_login_is_closed_at_the_deadline,
    too_many_failed_logins_close_the_connection,
    a_login_in_pieces_and_requests_in_one_write_are_served,
    requests_behind_a_login_wait_for_it,
    a_wrong_ticket_in_a_session_does_not_end_it,
);

fn a_login_answers_who_and_how_to_stay(store: StoreKind) {
    let server = Setup::new(store).set("heartbeat.interval_ms", 7000).set("heartbeat.limit_ms", 44000).start();
    let mut session = server.session(1001);
    let reply = session.reply.clone();
    assert_eq!((&reply["error"], &reply["uid"]), (&json!(0), &json!(1001)), "{reply}");
    assert_eq!(reply["heartbeat_interval_ms"], 7000, "{reply}");
    assert_eq!(reply["heartbeat_limit_ms"], 44000, "{reply}");
    assert_eq!(uuid::Uuid::parse_str(session.sid()).expect("a sid is a UUID").get_version_num(), 7);
    assert!(session.epoch() > 0);
    session.beat();

    // The largest uid of this wire comes back digit by digit, although Lua's numbers print fewer.
    let largest = server.session((1 << 53) - 1);
    assert_eq!(largest.reply["uid"], (1_u64 << 53) - 1, "{}", largest.reply);
}

/// The old server took the second login for another device and kicked the connection off its own seat.
fn defect_03_login_twice_on_one_connection_is_not_a_kick(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut session = server.session(1001);
    for _ in 0..3 {
        let token = session.token.clone();
        let again = session.client.log_in(1001, &token);
        assert_eq!((&again["error"], &again["sid"]), (&json!(0), &session.reply["sid"]), "{again}");
        assert_eq!(again["epoch"], session.epoch(), "{again}");
    }
    session.beat();
    assert_eq!(server.admin.events(1001), ["taken"]);
    server.wait_sessions(1);
    drop(session);
    server.wait_sessions(0);
}

fn a_newer_ticket_on_the_same_connection_keeps_the_session(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut session = server.session(1001);
    let newer = server.admin.token(1001);
    let again = session.client.log_in(1001, &newer);
    assert_eq!((&again["error"], &again["sid"]), (&json!(0), &session.reply["sid"]), "{again}");
    session.beat();

    // The newer ticket is the one that counts from now on.
    let old = server.connect().log_in(1001, &session.token);
    assert_eq!(old["error"], 1010, "{old}");
    let resumed = server.session_with(1001, newer);
    assert_eq!(resumed.reply["resumed"], true, "{}", resumed.reply);
    session.client.expect_goodbye("resumed");
}

/// The old server left the first user's keys behind and sent that user's messages to the second.
fn defect_04_a_second_uid_on_one_connection_is_refused(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut session = server.session(1001);
    let other = server.admin.token(1002);
    let refused = session.client.log_in(1002, &other);
    assert_eq!(refused["error"], 1104, "{refused}");
    assert_eq!(server.admin.seats(1002), [json!(null); 0]);

    session.beat();
    assert_eq!(server.admin.seats(1001)[0]["sid"], session.sid());
    // The ticket was not used up by the refusal.
    server.session_with(1002, other).beat();
}

/// The old server cleaned up first and logged the dead connection in afterwards.
fn defect_05_a_disconnect_while_the_login_runs_leaves_no_ghost(store: StoreKind) {
    let server = Setup::new(store).start();
    for uid in 2000..2060 {
        let token = server.admin.token(uid);
        server.connect().send(1005, &json!({ "uid": uid, "token": token }));
    }
    server.assert_serves(1001);
    // The server may read some of those logins only now: each of them has to be over in the end.
    for uid in 2000..2060 {
        wait_until("the seat of a client that is gone is free", || server.admin.seats(uid).is_empty().then_some(()));
    }
    server.wait_sessions(0);
}

/// Of them 1009, 1013 and 1017 name the one who asks.
fn requests_of(uid: u64) -> [(u16, serde_json::Value); 6] {
    [
        (1007, json!({ "uid": "1002" })),
        (1009, json!({ "uid": uid, "touid": 1002, "applyname": "x", "bakname": "y" })),
        (1013, json!({ "fromuid": uid, "touid": 1002, "back": "z" })),
        (1017, json!({ "fromuid": uid, "touid": 1002, "text_array": [{ "content": "hi", "msgid": "{1}" }] })),
        (1102, json!({ "id": 1 })),
        (1104, json!({ "list": "friend_list", "after": "" })),
    ]
}

/// The old server asked no handler who is asking.
fn defect_14_nobody_acts_for_another_user_or_without_login(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut victim = server.session(1002);
    let mut stranger = server.connect();
    for (id, body) in requests_of(1001) {
        stranger.send(id, &body);
        assert_eq!(stranger.expect(id + 1)["error"], 1103, "{id} before a login");
    }

    let mut session = server.session(1001);
    for (id, body) in requests_of(1002).into_iter().take(4).skip(1) {
        session.client.send(id, &body);
        assert_eq!(session.client.expect(id + 1)["error"], 1104, "{id} in another's name");
    }
    session.client.send(1023, &json!({ "fromuid": 1002 }));
    assert_eq!(session.client.expect(1024)["error"], 1104, "a heartbeat in another's name");
    session.beat();
    victim.beat();
    // A refusal is no end: the stranger may still log in.
    assert_eq!(stranger.log_in(1003, &server.admin.token(1003))["error"], 0);
}

/// The old server began to read before the connection stood in its table.
fn defect_18_a_login_sent_with_the_connect_is_served(store: StoreKind) {
    let server = Setup::new(store).start();
    let tokens: Vec<(u64, String)> = (3000..3060).map(|uid| (uid, server.admin.token(uid))).collect();
    let mut clients: Vec<Client> = Vec::new();
    for (uid, token) in &tokens {
        let mut client = server.connect();
        client.send(1005, &json!({ "uid": uid, "token": token }));
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(client.expect(1006)["error"], 0);
    }
    server.wait_sessions(tokens.len());
}

/// The old server kept whoever sent heartbeats for ever, logged in or not.
fn defect_25_heartbeats_do_not_stand_for_a_login(store: StoreKind) {
    let limit = Duration::from_millis(700);
    let server = Setup::new(store).set("gateway.login_timeout_ms", limit.as_millis()).start();
    let begun = Instant::now();
    let (mut silent, mut busy) = (server.connect(), server.connect());
    let goodbye = loop {
        assert!(begun.elapsed() < limit * 40, "a client that never logs in is kept");
        let _ = busy.try_send(&frame(1023, br#"{"fromuid":1001}"#));
        match busy.next() {
            Seen::Frame(1024, body) => assert_eq!(body, json!({ "error": 0 })),
            Seen::Frame(1101, body) => break body,
            other => panic!("expected a heartbeat's answer or a goodbye, got {other:?}"),
        }
    };
    assert!(begun.elapsed() >= limit, "closed after {:?}", begun.elapsed());
    assert_eq!(goodbye["reason"], "auth_timeout", "{goodbye}");
    busy.expect_end();
    silent.expect_goodbye("auth_timeout");
    server.assert_serves(1001);
}

fn a_half_login_is_closed_at_the_deadline(store: StoreKind) {
    let server = Setup::new(store).set("gateway.login_timeout_ms", 500).start();
    let whole = frame(1005, br#"{"uid":1001,"token":"a token that will do"}"#);
    for cut in [1, 3, 4, 5, whole.len() - 1] {
        let mut client = server.connect();
        client.send_bytes(&whole[..cut]);
        client.expect_goodbye("auth_timeout");
    }
    // Whoever is in is not measured by that deadline.
    let mut session = server.session(1001);
    server.connect().expect_goodbye("auth_timeout");
    session.beat();
}

fn too_many_failed_logins_close_the_connection(store: StoreKind) {
    let server = Setup::new(store).set("gateway.login_attempts_max", 3).start();
    let token = server.admin.token(1001);
    let mut client = server.connect();
    for _ in 0..3 {
        let refused = client.log_in(1001, "not the right token");
        assert_eq!(refused["error"], 1010, "{refused}");
    }
    client.expect_goodbye("auth_timeout");

    let mut client = server.connect();
    for _ in 0..2 {
        client.log_in(1001, "not the right token");
    }
    assert_eq!(client.log_in(1001, &token)["error"], 0, "the third attempt is allowed");
}

fn a_login_in_pieces_and_requests_in_one_write_are_served(store: StoreKind) {
    let server = Setup::new(store).start();
    let token = server.admin.token(1001);
    let login = frame(1005, format!("{{\n    \"token\": \"{token}\",\n    \"uid\": 1001\n}}\n").as_bytes());
    let mut client = server.connect();
    for byte in &login {
        client.send_bytes(&[*byte]);
    }
    assert_eq!(client.expect(1006)["error"], 0);

    let beat = frame(1023, br#"{"fromuid":1001}"#);
    client.send_bytes(&[login, beat.repeat(3)].concat());
    assert_eq!(client.expect(1006)["error"], 0);
    for _ in 0..3 {
        assert_eq!(client.expect(1024), json!({ "error": 0 }));
    }
}

/// What is sent behind a login is served after it, in the session that it made.
fn requests_behind_a_login_wait_for_it(store: StoreKind) {
    let server = Setup::new(store).start();
    let (token, other) = (server.admin.token(1001), server.admin.token(1002));
    let login = |uid: u64, token: &str| frame(1005, json!({ "uid": uid, "token": token }).to_string().as_bytes());
    let [_, _, _, (id, text), ..] = requests_of(1001);
    let mut client = server.connect();
    let text = frame(id, text.to_string().as_bytes());
    client.send_bytes(&[text.clone(), login(1001, &token), text, login(1002, &other), frame(1023, b"")].concat());
    assert_eq!(client.expect(1018)["error"], 1103, "before the login");
    assert_eq!(client.expect(1006)["error"], 0);
    assert_ne!(client.expect(1018)["error"], 1103, "in the session");
    assert_eq!(client.expect(1006)["error"], 1104, "another user on the same connection");
    assert_eq!(client.expect(1024), json!({ "error": 0 }));
}

fn a_wrong_ticket_in_a_session_does_not_end_it(store: StoreKind) {
    let server = Setup::new(store).set("gateway.login_attempts_max", 2).start();
    let mut session = server.session(1001);
    for _ in 0..5 {
        let refused = session.client.log_in(1001, "not the right token");
        assert_eq!(refused["error"], 1010, "{refused}");
        session.beat();
    }
    server.wait_sessions(1);
    assert_eq!(server.admin.seats(1001)[0]["sid"], session.sid());
}
