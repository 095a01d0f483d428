//! `oneseat client` against a real server, and against a peer that ends a connection as no good server would.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use super::process::{Server, run, wait_until};

#[test]
fn the_second_login_takes_the_seat_and_the_first_is_told_by_whom() {
    let server = Server::start(&[]);
    let first = server.client(&["--uid", "1001"]);
    assert_eq!(first.frame(1006)["error"], 0);
    let mut second = server.client(&["--uid", "1001"]);
    assert_eq!(second.frame(1006)["error"], 0);
    let (closed, code) = first.end();
    assert_eq!((code, &closed["notice"]["reason"]), (10, &json!("displaced")));
    assert!(closed["detail"].as_str().is_some_and(|why| why.contains("another login took the seat, from 127.0.0.1:")));
    second.type_line("quit");
    assert_eq!(second.end().1, 0);
}

#[test]
fn classes_are_seats_of_their_own() {
    let server = Server::start(&[]);
    let mut phone = server.client(&["--uid", "1001", "--class", "phone"]);
    assert_eq!(phone.frame(1006)["class"], "phone");
    let desk = server.client(&["--uid", "1001", "--class", "desk"]);
    assert_eq!(desk.frame(1006)["class"], "desk");
    phone.type_line("1023 {\"fromuid\":1001}");
    assert_eq!(phone.frame(1024)["error"], 0);
}

#[test]
fn it_beats_by_itself_and_sends_what_is_typed() {
    let server = Server::start(&[("HEARTBEAT__INTERVAL_MS", "200"), ("HEARTBEAT__LIMIT_MS", "1000")]);
    let mut client = server.client(&["--uid", "1001"]);
    client.frame(1006);
    client.frame(1024);
    client.frame(1024);
    client.type_line("1017 {\"fromuid\":5,\"touid\":6,\"text_array\":[]}");
    assert_eq!(client.frame(1018)["error"], 1104);
    client.type_line("1017 {\"fromuid\":");
    assert_eq!(client.frame(1018)["error"], 1001);
    for line in ["hello", "65536 {}", "-1 {}"] {
        client.type_line(line);
        let refused = client.event(|event| event["event"] == "refused");
        assert!(refused["detail"].as_str().is_some_and(|why| why.contains("ID JSON")), "{refused}");
    }
    client.type_line("");
    client.type_line("quit");
    assert_eq!(client.end().1, 0);
}

#[test]
fn a_refused_login_ends_with_9_and_says_why() {
    let server = Server::start(&[]);
    server.run(&["ticket", "1001"]).ends_with(0);
    let client = server.client(&["--uid", "1001", "--token", "not-the-token"]);
    let (closed, code) = client.end();
    assert_eq!((code, &closed["notice"]["error"]), (9, &json!(1010)));
    assert!(
        closed["detail"].as_str().is_some_and(|why| why.starts_with("login refused: the ticket is wrong")),
        "{closed}"
    );
}

#[test]
fn a_server_that_stops_says_goodbye() {
    let server = Server::start(&[]);
    let client = server.client(&["--uid", "1001"]);
    client.frame(1006);
    assert_eq!(server.stop(), 0);
    let (closed, code) = client.end();
    assert_eq!((code, &closed["notice"]["reason"]), (11, &json!("shutdown")));
    assert!(closed["detail"].as_str().is_some_and(|why| why.contains("try again in")), "{closed}");
}

#[test]
fn a_frozen_client_is_expired_and_learns_of_it_when_it_wakes() {
    let server = Server::start(&[("HEARTBEAT__INTERVAL_MS", "200"), ("HEARTBEAT__LIMIT_MS", "800")]);
    let client = server.client(&["--uid", "1001"]);
    client.frame(1006);
    client.freeze(true);
    let seats = || server.run(&["who", "1001", "--json"]).json()["seats"].clone();
    wait_until("the seat is free", || seats() == json!([]));
    client.freeze(false);
    let (closed, code) = client.end();
    assert_eq!((code, &closed["notice"]["reason"]), (11, &json!("expired")));
}

#[test]
fn tokens_are_not_on_the_screen() {
    let server = Server::start(&[]);
    let ticket = server.run(&["ticket", "1001", "--json"]).json();
    let token = ticket["token"].as_str().expect("a text");
    let mut client = server.client(&["--uid", "1001", "--token", token, "--address", &server.clients]);
    let sent = client.event(|event| event["direction"] == "out");
    assert_eq!((&sent["id"], &sent["body"]["token"]), (&json!(1005), &json!("***")));
    client.frame(1006);
    client.type_line("quit");
    client.end();
    assert!(!server.log().contains(token), "{}", server.log());
}

/// A peer that answers a login with these bytes and closes; what the client prints for people, and its exit code.
fn against(answer: &'static [u8]) -> (String, i32) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the client connects");
        let mut login = [0; 4];
        stream.read_exact(&mut login).expect("the client logs in");
        assert_eq!(u16::from_be_bytes([login[0], login[1]]), 1005);
        let mut body = vec![0; usize::from(u16::from_be_bytes([login[2], login[3]]))];
        stream.read_exact(&mut body).expect("a whole frame");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body, json!({ "uid": 7, "token": "tok" }));
        stream.write_all(answer).expect("the client reads");
    });
    let outcome = run(&["client", "--uid", "7", "--token", "tok", "--address", &address], &[]);
    peer.join().expect("the peer does not panic");
    assert_eq!(outcome.err, "");
    (outcome.out, outcome.code)
}

#[test]
fn odd_ends_are_told_and_end_with_11() {
    for (answer, why) in [
        (&b""[..], "without a word"),
        (b"\x03\xee\x00", "without a word"),
        (b"\x03\xee\x00\x0b{\"error\":0}", "without a word"),
        (b"\x04\x4d\x00\x21{\"error\":0,\"reason\":\"expired\"}   ", "goodbye: expired"),
    ] {
        let (out, code) = against(answer);
        assert!(code == 11 && out.contains(why), "{code}: {out}");
    }
}

#[test]
fn what_a_server_sends_cannot_steer_the_terminal() {
    let (out, code) = against(b"\x03\xfb\x00\x08\x1b[2J \xff\xc2\x9b");
    assert_eq!(code, 11);
    assert!(out.contains("not JSON: \\u{1b}[2J"), "{out}");
    assert!(!out.contains('\u{1b}') && !out.contains('\u{9b}'), "{out}");
}
