//! `oneseat users`: profiles, imports and messages.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::process::{Server, oneseat};

/// Writes a file beside the server's data and answers its path.
fn file(server: &Server, lines: &str) -> String {
    let path = server.folder.path().join("users.jsonl");
    std::fs::write(&path, lines).expect("the folder is ours");
    path.display().to_string()
}

fn profile(server: &Server, uid: &str) -> Value {
    server.run(&["users", "show", uid, "--json"]).json()
}

#[test]
fn a_profile_is_set_shown_and_erased() {
    let server = Server::start(&[]);
    assert_eq!(server.run(&["users", "show", "1001"]).ends_with(0).out, "no profile\n");
    let set = server.run(&["users", "set", "1001", "name=ada", "sex=1", "email=a=b"]).ends_with(0).out;
    assert_eq!(set, "written; 0 friends have the new copy\n");
    let text = server.run(&["users", "show", "1001"]).ends_with(0).out;
    assert!(text.starts_with("FIELD  VALUE\n") && text.contains("email  a=b") && text.contains("name   ada"), "{text}");
    server.run(&["users", "set", "1001", "--remove", "email", "nick=A"]).ends_with(0);
    assert_eq!(profile(&server, "1001"), json!({ "name": "ada", "sex": 1, "nick": "A" }));
    server.run(&["users", "set", "1002", "name=ada"]).ends_with(1).says(&["the name ada is that of user 1001"]);
    server.run(&["users", "set", "1002", "sex=f"]).ends_with(1).says(&["sex cannot be set to this"]);
    assert_eq!(server.run(&["users", "erase", "1001"]).ends_with(0).out, "1001 is erased; sessions ended: 0\n");
    assert_eq!(server.run(&["users", "erase", "1001", "--json"]).json()["erased"], true);
    assert_eq!(profile(&server, "1001"), json!({}));
    server.run(&["users", "set", "1002", "name=ada", "--json"]).ends_with(0);
}

#[test]
fn bad_lines_of_an_import_are_told_by_their_numbers_and_the_rest_goes_on() {
    let server = Server::start(&[]);
    let lines = "{\"uid\":1,\"name\":\"ada\"}\n\nnonsense\n[]\n{\"uid\":0}\n{\"uid\":2,\"name\":\"ada\"}\n\
        {\"uid\":3,\"nick\":[]}\n{\"uid\":1,\"nick\":\"A\"}\n\u{1b}\n{\"uid\":\"x:4\",\"sex\":2}";
    let path = file(&server, lines);
    let told =
        server.run(&["users", "import", &path]).ends_with(1).says(&["6 of 10 lines were not taken", "(hint: "]).out;
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(told.len(), 7, "{told:?}");
    for (line, start) in told.iter().zip([
        "line 3: not JSON: ",
        "line 4: no object",
        "line 5: a uid is ",
        "line 6: the name ada is that of user 1",
        "line 7: nick is a text",
        "line 9: not JSON: ",
        "3 users written, from 10 lines",
    ]) {
        assert!(line.starts_with(start), "{start}: {line}");
    }
    assert_eq!(profile(&server, "1"), json!({ "name": "ada", "nick": "A" }), "later lines count after earlier ones");
    assert_eq!(profile(&server, "x:4"), json!({ "sex": 2 }));
    let again = server.run(&["users", "import", &path, "--json"]);
    assert_eq!(again.code, 1);
    let told = again.json();
    assert_eq!(
        (&told["lines"], &told["written"], &told["bad"][1]["line"]),
        (&json!(10), &json!(3), &json!(4)),
        "{told}"
    );
}

#[test]
fn a_large_import_goes_in_batches_and_a_second_time_changes_nothing() {
    let server = Server::start(&[]);
    let long = "x".repeat(400);
    let mut lines = String::new();
    for uid in 1..=1700 {
        writeln!(lines, "{{\"uid\":{uid},\"name\":\"user {uid}\",\"desc\":\"{long}\"}}").expect("memory");
    }
    let path = file(&server, &lines);
    for _ in 0..2 {
        let outcome = server.run(&["users", "import", &path]).ends_with(0);
        assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("1700 users written, from 1700 lines\n", ""));
    }
    assert_eq!(profile(&server, "1700")["name"], "user 1700");
}

#[test]
fn an_import_reads_standard_input_and_says_what_it_cannot_read() {
    let server = Server::start(&[]);
    let url = format!("http://{}", server.admin);
    let mut command = oneseat(&["users", "--admin", &url, "import", "-"], &[]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary runs");
    let long = format!("{{\"uid\":1,\"a\":\"{}\"}}\n", "x".repeat(300_000));
    let mut input = child.stdin.take().expect("piped");
    input.write_all(format!("{long}{{\"uid\":2,\"nick\":\"B\"}}\n").as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(text, "line 1: longer than 262144 bytes\n1 users written, from 2 lines\n");
    assert_eq!(profile(&server, "2"), json!({ "nick": "B" }));
    server.run(&["users", "import", "no/such.jsonl"]).ends_with(1).says(&["no/such.jsonl", "No such file"]);
}

#[test]
fn a_message_reaches_the_session_and_one_that_waits_comes_with_the_login() {
    let server = Server::start(&[]);
    server.run(&["users", "message", "1001", "hello"]).ends_with(1).says(&["nothing is known of a user 1001"]);
    server.run(&["users", "set", "1001", "name=ada"]).ends_with(0);
    let told = server.run(&["users", "message", "1001", "first", "--from", "7", "--msgid", "m1"]).ends_with(0).out;
    assert_eq!(told, "accepted, as m1\n");
    let told = server.run(&["users", "message", "1001", "first", "--from", "7", "--msgid", "m1"]).ends_with(0).out;
    assert_eq!(told, "duplicate, as m1\n");
    let client = server.client(&["--uid", "1001"]);
    let unread = client.frame(1006)["unread_messages"].clone();
    assert_eq!((&unread[0]["from_id"], &unread[0]["content"]), (&json!(7), &json!("first")), "{unread}");
    let sent = server.run(&["users", "message", "1001", "second", "--ttl-ms", "60000", "--json"]).json();
    assert_eq!(sent["result"], "accepted");
    let frame = client.frame(1019);
    assert_eq!(
        (&frame["text_array"][0]["content"], &frame["text_array"][0]["msgid"]),
        (&json!("second"), &sent["msgid"])
    );
}
