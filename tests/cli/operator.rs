//! Subcommands that ask the admin API: what they print, and what they say when it does not work.

use std::net::TcpListener;

use serde_json::json;

use super::process::{Server, free_port, run, wait_until};

#[test]
fn without_a_server_every_command_says_what_to_start() {
    let admin = format!("127.0.0.1:{}", free_port());
    let settings = [("ADMIN__LISTEN", admin.as_str())];
    for arguments in [
        &["who", "1"][..],
        &["ticket", "1"],
        &["kick", "1"],
        &["nodes"],
        &["client", "--uid", "1"],
        &["nodes", "--json"],
        &["users", "show", "1"],
        &["users", "set", "1", "name=ada"],
        &["users", "erase", "1"],
        &["users", "message", "1", "hello"],
    ] {
        run(arguments, &settings).ends_with(8).says(&[&admin, "start one with `oneseat`"]);
    }
    let url = format!("http://{admin}");
    run(&["nodes", "--admin", &url], &[]).ends_with(8).says(&[&url]);
    let address = format!("127.0.0.1:{}", free_port());
    let arguments = ["client", "--uid", "1", "--token", "t", "--address", &address];
    run(&arguments, &[]).ends_with(8).says(&[&address, "--address HOST:PORT"]);
}

#[test]
fn something_else_on_the_port_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let admin = listener.local_addr().expect("it is bound").to_string();
    let peer = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().expect("the command connects");
        let read = stream.read(&mut [0; 1024]).expect("the command asks");
        assert!(read > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").expect("the command reads");
    });
    run(&["nodes"], &[("ADMIN__LISTEN", &admin)]).ends_with(8).says(&["is no admin API of oneseat"]);
    peer.join().expect("the peer does not panic");
}

#[test]
fn a_ticket_is_printed_for_people_and_for_programs() {
    let server = Server::start(&[]);
    let text = server.run(&["ticket", "1001"]).ends_with(0).out;
    for part in ["uid      1001", "class    main", "token    ", &format!("connect  {}", server.clients), " UTC"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let ticket = server.run(&["ticket", "1001", "--class", "phone", "--ttl-ms", "60000", "--json"]).json();
    assert_eq!(
        (&ticket["uid"], &ticket["class"], &ticket["host"]),
        (&json!("1001"), &json!("phone"), &json!("127.0.0.1"))
    );
    server.run(&["ticket", "1001", "--ttl-ms", "0"]).ends_with(1).says(&["ttl_ms is 1 to"]);
}

#[test]
fn who_kick_and_nodes_tell_what_the_server_knows() {
    let server = Server::start(&[]);
    assert_eq!(server.run(&["who", "1001"]).ends_with(0).out, "no seat is held\n");
    let client = server.client(&["--uid", "1001"]);
    let sid = client.frame(1006)["sid"].as_str().expect("a text").to_owned();
    let text = server.run(&["who", "1001"]).ends_with(0).out;
    assert!(text.contains(&sid) && text.contains("taken") && text.starts_with("CLASS  NODE"), "{text}");
    assert_eq!(server.run(&["who", "1001", "--json"]).json()["seats"][0]["sid"], sid);
    let nodes = server.run(&["nodes"]).ends_with(0).out;
    assert!(nodes.contains("node1") && nodes.contains("live") && nodes.contains(&server.clients), "{nodes}");
    assert_eq!(server.run(&["nodes", "--json"]).json()["nodes"][0]["name"], "node1");
    let kicked = server.run(&["kick", "1001", "--note", "spam & more", "--json"]).json();
    assert_eq!(kicked["kicked"][0]["sid"], sid);
    let (closed, code) = client.end();
    assert_eq!(code, 10);
    assert!(
        closed["detail"].as_str().is_some_and(|why| why.contains("kicked") && why.contains("spam & more")),
        "{closed}"
    );
    let again = server.run(&["kick", "1001"]).ends_with(0).out;
    assert_eq!(again, "nobody was there; the tickets are void\n");
}

#[test]
fn why_a_session_was_logged_out_is_told_in_a_sentence() {
    let server = Server::start(&[]);
    let first = server.client(&["--uid", "1001"]);
    first.frame(1006);
    let second = server.client(&["--uid", "1001"]);
    second.frame(1006);
    assert_eq!(first.end().1, 10);
    let text = server.run(&["who", "1001"]).ends_with(0).out;
    let (seats, ends) = text.split_once("why sessions were logged out").expect("somebody was");
    assert!(seats.contains("STATE") && seats.contains(" live "), "{text}");
    for part in ["main, of 127.0.0.1:", " on node1: taken over from 127.0.0.1:", "decided by login@"] {
        assert!(ends.contains(part), "{part}: {text}");
    }
    server.run(&["kick", "1001", "--note", "spam"]).ends_with(0);
    let text = server.run(&["who", "1001"]).ends_with(0).out;
    assert!(text.contains("kicked by an operator at ") && text.contains("UTC: spam\n"), "{text}");
}

#[test]
fn a_drain_sends_the_clients_away_and_ends_when_the_node_is_empty() {
    let server = Server::start(&[("NODE__BEAT_MS", "100")]);
    let clients: Vec<_> = ["1001", "1002", "1003"].map(|uid| server.client(&["--uid", uid])).into();
    clients.iter().for_each(|client| drop(client.frame(1006)));
    let drained = server.run(&["nodes", "drain", "node1", "--over", "300ms"]).ends_with(0);
    assert!(drained.out.starts_with("node1 is empty, after ") && drained.out.contains("3 sessions"), "{}", drained.out);
    assert!(drained.err.contains("no other node takes newcomers"), "{}", drained.err);
    for client in clients {
        let goodbye = client.frame(1101);
        assert_eq!((&goodbye["reason"], goodbye["retry_after_ms"].is_u64()), (&json!("drained"), true), "{goodbye}");
        assert_eq!(client.end().1, 11);
    }
    assert!(server.run(&["nodes"]).ends_with(0).out.contains(" draining "));
    assert_eq!(server.run(&["nodes", "undrain", "node1", "--json"]).json()["draining"], false);
    let head = server.run(&["nodes"]).ends_with(0).out;
    assert!(head.contains(" live ") && head.contains("RESERVED  WEIGHT  ZONE"), "{head}");
    wait_until("newcomers are let in again", || server.run(&["ticket", "1001"]).code == 0);
    let quick = server.run(&["nodes", "drain", "node1", "--no-wait", "--json"]).json();
    assert_eq!((&quick["draining"], &quick["over_ms"]), (&json!(true), &json!(60_000)));
    server.run(&["nodes", "drain", "nobody"]).ends_with(1).says(&["knows no node nobody"]);
    server.run(&["nodes", "drain", "node1", "--over", "soon"]).ends_with(2);
}

#[test]
fn a_token_is_needed_where_one_is_set_and_is_never_shown() {
    let server = Server::start(&[("ADMIN__TOKEN", "12345678")]);
    assert_eq!(server.run(&["nodes", "--json"]).json()["nodes"][0]["live"], true);
    let url = format!("http://{}", server.admin);
    for settings in [&[][..], &[("ADMIN__TOKEN", "87654321")]] {
        let outcome = run(&["nodes", "--admin", &url], settings).ends_with(1).says(&["ONESEAT_ADMIN__TOKEN"]);
        assert!(!outcome.err.contains("87654321"), "{}", outcome.err);
    }
    assert!(!server.log().contains("12345678"), "{}", server.log());
}
