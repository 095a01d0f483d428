//! The defined answer to each kind of wrong input: which frame, which error, and whether the connection stays.

use serde_json::json;

use crate::support::{Client, Session, Setup, StoreKind, frame, on_both_stores};

on_both_stores!(
    defect_42_wrong_bodies_are_answered_and_end_nothing,
    defect_45_truncated_json_and_trailing_garbage_are_refused,
    defect_44_lengths_and_ids_are_unsigned,
    unknown_ids_are_ignored,
    a_frame_of_the_largest_size_is_served,
);

/// A login or search body, and the error that answers it before a login.
fn wrong_logins() -> Vec<(Vec<u8>, &'static str)> {
    let mut bodies: Vec<(Vec<u8>, &str)> = [
        ("", "no body"),
        ("null", "null"),
        ("[]", "an array"),
        ("1", "a number"),
        ("\"x\"", "a text"),
        ("true", "a bool"),
        ("{}", "no fields"),
        (r#"{"uid":1001}"#, "no token"),
        (r#"{"token":"t"}"#, "no uid"),
        (r#"{"uid":"1001","token":"t"}"#, "a uid as text"),
        (r#"{"uid":1001,"token":5}"#, "a token as number"),
        (r#"{"uid":1001,"token":null}"#, "a token as null"),
        (r#"{"uid":1001,"token":["t"]}"#, "a token as array"),
        (r#"{"uid":[1001],"token":"t"}"#, "a uid as array"),
        (r#"{"uid":{},"token":"t"}"#, "a uid as object"),
        (r#"{"uid":true,"token":"t"}"#, "a uid as bool"),
        (r#"{"uid":null,"token":"t"}"#, "a uid as null"),
        (r#"{"uid":0,"token":"t"}"#, "uid zero"),
        (r#"{"uid":-1,"token":"t"}"#, "a negative uid"),
        (r#"{"uid":1001.5,"token":"t"}"#, "a broken uid"),
        (r#"{"uid":9007199254740992,"token":"t"}"#, "a uid past what JSON keeps"),
        (r#"{"uid":99999999999999999999999999,"token":"t"}"#, "a uid past 64 bits"),
        (r#"{"uid":1e400,"token":"t"}"#, "a uid past any number"),
        (r#"{"uid":NaN,"token":"t"}"#, "no number"),
        ("{\"uid\":1001,\"token\":\"a\0b\"}", "a bare NUL in a text"),
        ("{\"uid\":1001,\"token\":\"t\"}\0", "a NUL behind"),
        ("\0{\"uid\":1001,\"token\":\"t\"}", "a NUL before"),
        (r#"{"uid":1001,"token":"\ud800"}"#, "half a surrogate"),
        ("/* x */{\"uid\":1001,\"token\":\"t\"}", "a comment"),
        ("\u{feff}{\"uid\":1001,\"token\":\"t\"}", "a byte order mark"),
    ]
    .map(|(body, what)| (body.as_bytes().to_vec(), what))
    .into();
    bodies.push((b"{\"uid\":1001,\"token\":\"\xff\xfe\"}".to_vec(), "invalid UTF-8"));
    bodies.push((b"{\"uid\":1001,\"token\":\"t\",\"x\":\"\xc3\x28\"}".to_vec(), "invalid UTF-8 elsewhere"));
    let deep = |open: &str, shut: &str| {
        format!("{{\"uid\":1001,\"token\":\"t\",\"x\":{}1{}}}", open.repeat(900), shut.repeat(900))
    };
    bodies.push((deep("[", "]").into_bytes(), "deep arrays"));
    bodies.push((deep("{\"a\":", "}").into_bytes(), "deep objects"));
    bodies.push(("[".repeat(2000).into_bytes(), "nothing but brackets"));
    bodies
}

/// The old process ended at the first of them.
fn defect_42_wrong_bodies_are_answered_and_end_nothing(store: StoreKind) {
    let server = Setup::new(store).set("gateway.login_attempts_max", 1000).start();
    server.admin.token(1001);
    let mut one = server.connect();
    for (body, what) in wrong_logins() {
        one.send_bytes(&frame(1005, &body));
        assert_eq!(one.expect(1006)["error"], 1001, "{what}");
        one.beat(1001);
    }

    let mut session = server.session(1001);
    for (body, what) in wrong_logins() {
        session.client.send_bytes(&frame(1005, &body));
        assert_eq!(session.client.expect(1006)["error"], 1001, "{what}, in a session");
    }
    for body in ["", "[]", "{}", "null", r#"{"uid":5}"#, r#"{"fromuid":"1001"}"#] {
        for id in [1007, 1009, 1013, 1017] {
            session.client.send_bytes(&frame(id, body.as_bytes()));
            let answer = session.client.expect(id + 1);
            assert!(answer["error"].as_u64() > Some(0), "{id} with {body:?}: {answer}");
        }
    }
    session.beat();
    server.assert_serves(1002);
}

/// The old parser used whatever it had read before the mistake: such a login succeeded.
fn defect_45_truncated_json_and_trailing_garbage_are_refused(store: StoreKind) {
    let server = Setup::new(store).set("gateway.login_attempts_max", 1000).start();
    let token = server.admin.token(1001);
    let whole = format!(r#"{{"uid":1001,"token":"{token}"}}"#);
    let mut client = server.connect();
    let tails = ["x", "}", "{}", ",", " 1", &whole];
    let wrong = (1..whole.len()).map(|end| whole[..end].to_owned());
    for body in wrong.chain(tails.map(|tail| format!("{whole}{tail}"))) {
        client.send_bytes(&frame(1005, body.as_bytes()));
        assert_eq!(client.expect(1006)["error"], 1001, "{body}");
    }
    assert_eq!(client.log_in(1001, &token)["error"], 0);
}

/// A header that announces this length.
fn header(id: u16, length: u16) -> Vec<u8> {
    [id.to_be_bytes(), length.to_be_bytes()].concat()
}

/// Before a login the server says so and closes, without waiting for a body.
fn refuse_stranger(client: &mut Client, id: u16, length: u16) {
    client.send_bytes(&header(id, length));
    assert_eq!(client.expect_goodbye("protocol")["error"], 1105, "length {length:#x} of {id:#x}");
}

/// A session is told at once, what it sends is skipped, and it is served on.
fn refuse_in_session(session: &mut Session, id: u16, length: u16) {
    session.client.send_bytes(&header(id, length));
    assert_eq!(session.client.expect(id + 1)["error"], 1105, "length {length:#x} of {id:#x}");
    session.client.send_bytes(&vec![b'['; length.into()]);
    session.beat();
}

/// The old server compared as signed: from 0x8000 on it waited for ever, or wrote over its own memory.
fn defect_44_lengths_and_ids_are_unsigned(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut session = server.session(1003);
    for length in [16385, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff] {
        for id in [1005, 1023, 0, 2049, 0x8000, 0xffff] {
            refuse_stranger(&mut server.connect(), id, length);
        }
        for id in [1005, 1007, 1017, 1023] {
            refuse_in_session(&mut session, id, length);
        }
    }
    for id in [0, 1, 2048, 2049, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff] {
        let mut client = server.connect();
        client.send_bytes(&frame(id, b"{}"));
        client.send_bytes(&frame(id, b""));
        client.beat(1001);
        assert_eq!(client.log_in(1001, &server.admin.token(1001))["error"], 0, "after id {id:#x}");
        client.send_bytes(&frame(id, &[0xff; 100]));
        client.beat(1001);
    }
    server.assert_serves(1002);
}

fn unknown_ids_are_ignored(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut stranger = server.connect();
    let mut session = server.session(1001);
    // Ids of answers, of relatives of the old system, and of nobody.
    for id in
        [1001, 1002, 1004, 1006, 1008, 1011, 1012, 1016, 1019, 1021, 1022, 1024, 1025, 1033, 1101, 1103, 1105, 9999]
    {
        for client in [&mut stranger, &mut session.client] {
            client.send_bytes(&frame(id, br#"{"error":0,"uid":1002,"fromuid":1002,"reason":"displaced"}"#));
            client.beat(1001);
        }
    }
    assert_eq!(server.admin.seats(1001)[0]["sid"], session.sid());
}

/// Real clients send more than the 2048 bytes that the old server took.
fn a_frame_of_the_largest_size_is_served(store: StoreKind) {
    let server = Setup::new(store).set("gateway.frame_bytes_max", 4096).start();
    let token = server.admin.token(1001);
    for (bytes, id) in [(2048, 1006), (2049, 1006), (4096, 1006)] {
        let start = format!(r#"{{"uid":1001,"token":"{token}","pad":""#);
        let pad = "x".repeat(bytes - start.len() - 2);
        let mut client = server.connect();
        client.send_bytes(&frame(1005, format!("{start}{pad}\"}}").as_bytes()));
        assert_eq!(client.expect(id)["error"], 0, "{bytes} bytes");
    }
    refuse_stranger(&mut server.connect(), 1005, 4097);
    assert_eq!(server.connect().log_in(1001, &token)["error"], 0);
    assert_eq!(server.admin.get("/healthz"), json!({ "status": "ok" }));
}
