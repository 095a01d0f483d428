//! `oneseat client` against a real server, and against a peer that ends a connection as no good server would.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use super::process::{Client, Server, run, wait_until};

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
fn against(answer: &[u8]) -> (String, i32) {
    against_with(answer, &[], &json!({ "uid": 7, "token": "tok", "features": ["ack", "batch"] }))
}

/// As `against`, for a client with these arguments that has to log in like this.
fn against_with(answer: &[u8], arguments: &[&str], login_body: &Value) -> (String, i32) {
    let (answer, login_body) = (answer.to_vec(), login_body.clone());
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
        assert_eq!(body, login_body);
        stream.write_all(&answer).expect("the client reads");
    });
    let usual = ["client", "--uid", "7", "--token", "tok", "--address", &address];
    let outcome = run(&[&usual, arguments].concat(), &[]);
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

/// The bytes of a frame.
fn frame(id: u16, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = u16::try_from(body.len()).expect("tests know the limit of a length");
    [&id.to_be_bytes()[..], &length.to_be_bytes()[..], body.as_bytes()].concat()
}

#[test]
fn texts_are_one_line_for_people() {
    let text =
        json!({ "error": 0, "fromuid": 1001, "touid": 7, "text_array": [{ "content": "hello\nyou", "msgid": "a" }] });
    let (out, _) = against(&frame(1019, &text));
    assert!(out.contains(" <- 1001: hello\\nyou\n"), "{out}");
    assert!(!out.contains("msgid"), "{out}");
}

#[test]
fn an_old_client_does_not_say_what_it_understands() {
    let login = json!({ "uid": 7, "token": "tok" });
    let (out, code) = against_with(b"", &["--old"], &login);
    assert_eq!(code, 11, "{out}");
}

/// Two clients, after one applied and the other approved.
fn befriend(first: &mut Client, second: &mut Client) {
    first.type_line("apply 1002 my Bob");
    assert_eq!(first.frame(1010)["error"], 0);
    assert_eq!(second.frame(1011)["applyuid"], 1001);
    second.type_line("approve 1001");
    assert_eq!(second.frame(1014)["error"], 0);
    assert_eq!(first.frame(1015)["fromuid"], 1002);
}

/// The client has acknowledged up to here, and the server knows it.
fn acknowledges(client: &Client, id: &Value) {
    let sent = client.event(|event| event["direction"] == "out" && event["id"] == 1102);
    assert_eq!(sent["body"]["id"], *id);
    assert_eq!(client.frame(1103), json!({ "error": 0, "id": id }));
}

#[test]
fn two_clients_chat_also_while_one_is_off_line() {
    let server = Server::start(&[]);
    let mut first = server.client(&["--uid", "1001"]);
    first.frame(1006);
    let mut second = server.client(&["--uid", "1002"]);
    second.frame(1006);
    befriend(&mut first, &mut second);

    first.type_line("text 1002 hello,  you");
    let sent = first.frame(1018);
    assert_eq!((&sent["error"], &sent["results"][0]["result"]), (&json!(0), &json!("accepted")), "{sent}");
    let heard = second.frame(1019);
    let text = &heard["text_array"][0];
    assert_eq!((&heard["fromuid"], &text["content"]), (&json!(1001), &json!("hello,  you")), "{heard}");
    let msgid = text["msgid"].as_str().expect("a text");
    assert!(msgid.len() == 38 && msgid.starts_with('{') && msgid.ends_with('}'), "{msgid}");
    acknowledges(&second, &heard["id"]);
    second.type_line("text 1001 hello back");
    assert_eq!(second.frame(1018)["error"], 0);
    assert_eq!(first.frame(1019)["text_array"][0]["content"], "hello back");
    second.type_line("quit");
    assert_eq!(second.end().1, 0);

    for words in ["are you there?", "well"] {
        first.type_line(&format!("text 1002 {words}"));
        assert_eq!(first.frame(1018)["error"], 0);
    }
    let mut second = server.client(&["--uid", "1002"]);
    let welcome = second.frame(1006);
    let unread = welcome["unread_messages"].as_array().expect("a list").iter();
    let unread: Vec<_> = unread.map(|text| format!("{}: {}", text["from_id"], text["content"])).collect();
    assert_eq!(unread, ["1001: \"are you there?\"", "1001: \"well\""]);
    acknowledges(&second, &welcome["id"]);
    second.type_line("quit");
    second.end();
    let again = server.client(&["--uid", "1002"]).frame(1006);
    assert_eq!((&again["error"], &again["unread_messages"]), (&json!(0), &Value::Null), "{again}");
}

#[test]
fn an_old_client_gets_its_texts_and_acknowledges_nothing() {
    let server = Server::start(&[]);
    let mut first = server.client(&["--uid", "1001"]);
    first.frame(1006);
    let mut second = server.client(&["--uid", "1002", "--old"]);
    second.frame(1006);
    befriend(&mut first, &mut second);
    first.type_line("text 1002 hello");
    assert_eq!(second.frame(1019)["text_array"][0]["content"], "hello");
    second.type_line("1023 {}");
    second.event(|event| {
        assert_ne!(event["id"], 1102, "{event}");
        event["id"] == 1024
    });
}

#[test]
fn every_command_is_served() {
    let server = Server::start(&[]);
    let mut first = server.client(&["--uid", "1001"]);
    first.frame(1006);
    let mut second = server.client(&["--uid", "1002"]);
    second.frame(1006);
    let mut ask = |line: &str, reply: u16| {
        first.type_line(line);
        first.frame(reply)
    };
    assert_eq!(ask("search 1002", 1008)["uid"], 1002);
    assert_eq!(ask("search nobody at all", 1008)["error"], 1011);
    assert_eq!(ask("apply 1002", 1010)["error"], 0);
    second.frame(1011);
    second.type_line("applications");
    assert_eq!(second.frame(1105)["apply_list"][0]["uid"], 1001);
    second.type_line("decline 1001");
    assert_eq!(second.frame(1014)["accepted"], false);
    assert_eq!(ask("text 1002 hello", 1018)["results"][0]["result"], "no_friend");
    assert_eq!(ask("apply 1002", 1010)["error"], 0);
    second.frame(1011);
    second.type_line("approve 1001 the first");
    second.frame(1014);
    second.type_line("friends");
    assert_eq!(second.frame(1105)["friend_list"][0]["back"], "the first");
    assert_eq!(ask("unfriend 1002", 1107)["error"], 0);
    assert_eq!(ask("block 1002", 1109)["blocked"], true);
    second.type_line("apply 1001");
    assert_eq!(second.frame(1010)["reason"], "blocked");
    assert_eq!(ask("unblock 1002", 1109)["blocked"], false);
    second.type_line("apply 1001");
    assert_eq!(second.frame(1010)["error"], 0);
    second.type_line("help");
    let help = second.event(|event| event["event"] == "help");
    assert!(help["text"].as_str().is_some_and(|text| text.contains("text UID WORDS...")), "{help}");
}
