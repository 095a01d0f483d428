//! Bytes that no honest client sends: each has a defined answer, and nobody else notices.

use serde_json::{Value, json};

use crate::support::{Node, frame};

/// Body of a 1005 and the error that answers it. The connection stays.
const LOGINS: &[(&[u8], u16)] = &[
    (b"", 1001),
    (b"null", 1001),
    (b"[]", 1001),
    (b"{", 1001),
    (b"{}", 1001),
    (b"{}{}", 1001),
    (b"\xff\xfe", 1001),
    (br#"{"uid":"7","token":"t"}"#, 1001),
    (br#"{"uid":7.0,"token":"t"}"#, 1001),
    (br#"{"uid":7}"#, 1001),
    (br#"{"uid":7,"token":5}"#, 1001),
    (br#"{"uid":0,"token":"t"}"#, 1001),
    (br#"{"uid":-7,"token":"t"}"#, 1001),
    (br#"{"uid":9007199254740992,"token":"t"}"#, 1001),
    (br#"{"uid":7,"token":"t"} x"#, 1001),
    (br#"{"uid":7,"token":"t"}"#, 1011),
    (br#"{"uid":7,"token":"\u0000"}"#, 1011),
    (br#"{"uid":7,"token":""}"#, 1011),
];

#[tokio::test]
async fn bad_logins_are_answered_and_a_good_one_may_follow() {
    let node = Node::with(&[("GATEWAY__LOGIN_ATTEMPTS_MAX", "50")]).await;
    let mut client = node.connect().await;
    for (body, error) in LOGINS {
        client.send_bytes(&frame(1005, body)).await;
        assert_eq!(client.expect(1006).await["error"], *error, "{:?}", String::from_utf8_lossy(body));
    }
    let token = node.ticket(7).await;
    assert_eq!(client.login(7, &token).await["error"], 0);
}

#[tokio::test]
async fn deep_nesting_is_refused() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    let body = format!(r#"{{"uid":7,"token":"t","x":{}"#, "[".repeat(10_000));
    client.send(1005, &body).await;
    assert_eq!(client.expect(1006).await, json!({"error": 1001, "reason": "depth"}));
}

#[tokio::test]
async fn before_login_known_requests_are_refused_and_unknown_ids_ignored() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    for (id, reply) in [(1007, 1008), (1009, 1010), (1013, 1014), (1017, 1018)] {
        client.send(id, "{}").await;
        assert_eq!(client.expect(reply).await, json!({"error": 1103}));
    }
    for id in [0, 1, 1001, 1006, 1021, 1024, 1101, 2048, 2049, 0x7fff, 0x8000, 0xffff] {
        client.send(id, "not even JSON").await;
    }
    client.expect_alive().await;
}

#[tokio::test]
async fn defect_14_nothing_is_served_in_anothers_name() {
    let node = Node::start().await;
    let mut client = node.session(1001).await;
    let cases = [
        (1009, 1010, r#"{"uid":1002,"touid":1003,"applyname":"x"}"#),
        (1013, 1014, r#"{"fromuid":1002,"touid":1003}"#),
        (1017, 1018, r#"{"fromuid":1002,"touid":1003,"text_array":[]}"#),
        (1023, 1024, r#"{"fromuid":1002}"#),
        (1005, 1006, r#"{"uid":1002,"token":"t"}"#),
    ];
    for (id, reply, body) in cases {
        client.send(id, body).await;
        assert_eq!(client.expect(reply).await, json!({"error": 1104}), "{id}");
    }
    for (id, reply, body) in cases {
        client.send(id, &body.replace("1002", "1001")).await;
        let expected = match id {
            1023 => json!({"error": 0}),
            1005 => json!({"error": 1010}),
            // Nobody of that uid, no application, no friend, no text.
            1009 => json!({"error": 1011}),
            _ => json!({"error": 1102}),
        };
        assert_eq!(client.expect(reply).await["error"], expected["error"], "{id}");
    }
    client.expect_alive().await;
}

#[tokio::test]
async fn after_login_bad_bodies_are_answered_with_the_reply_id() {
    let node = Node::start().await;
    let mut client = node.session(1001).await;
    for (id, reply) in [(1005, 1006), (1007, 1008), (1009, 1010), (1013, 1014), (1017, 1018), (1023, 1024)] {
        for body in ["[]", "{", "{\"uid\":[],\"fromuid\":{}}", "\u{1}"] {
            client.send(id, body).await;
            assert_eq!(client.expect(reply).await["error"], 1001, "{id} {body}");
        }
    }
    client.expect_alive().await;
}

#[tokio::test]
async fn a_visitor_with_an_oversize_frame_is_told_and_closed() {
    let node = Node::start().await;
    for header in [[0x03, 0xed, 0x40, 0x01], [0xff; 4], [0x03, 0xff, 0x80, 0x00], [0x00, 0x00, 0xff, 0xfe]] {
        let mut client = node.connect().await;
        client.send_bytes(&header).await;
        assert_eq!(client.expect(1101).await, json!({"error": 1105, "reason": "protocol"}));
        client.expect_end().await;
    }
}

#[tokio::test]
async fn a_session_with_an_oversize_frame_is_answered_and_served_on() {
    let node = Node::start().await;
    let mut client = node.session(1001).await;
    client.send_bytes(&frame(1017, &vec![b'x'; 16_385])).await;
    assert_eq!(client.expect(1018).await, json!({"error": 1105}));
    client.send_bytes(&frame(2000, &vec![b'x'; 65_535])).await;
    client.expect_alive().await;
    client.send_bytes(&frame(1017, &vec![b' '; 16_384])).await;
    assert_eq!(client.expect(1018).await["error"], 1001, "16384 bytes are within the limit");
}

#[tokio::test]
async fn a_frame_may_come_byte_by_byte() {
    let node = Node::start().await;
    let token = node.ticket(7).await;
    let mut client = node.connect().await;
    for byte in frame(1005, json!({"uid": 7, "token": token}).to_string().as_bytes()) {
        client.send_bytes(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.expect(1006).await["error"], 0);
}

#[tokio::test]
async fn thousands_of_frames_in_one_go_are_each_answered_in_order() {
    let node = Node::with(&[("ROUTES__1007", r#"{ script = "search", reply = 1008, per_second = 0 }"#)]).await;
    let mut client = node.session(7).await;
    let burst: Vec<u8> = (0..3_000).flat_map(|turn| frame(if turn % 3 == 0 { 1007 } else { 1023 }, b"{}")).collect();
    let (mut reader, mut writer) = client.stream.into_split();
    let writing = tokio::spawn(async move {
        tokio::io::AsyncWriteExt::write_all(&mut writer, &burst).await.expect("the server takes it all");
        writer
    });
    for turn in 0..3_000 {
        let (id, body) = read(&mut reader).await;
        assert_eq!((id, body["error"].as_u64()), if turn % 3 == 0 { (1008, Some(1001)) } else { (1024, Some(0)) });
    }
    client = crate::support::Client {
        stream: reader.reunite(writing.await.expect("it ends")).expect("two halves of one socket"),
    };
    client.expect_alive().await;
}

async fn read(reader: &mut (impl tokio::io::AsyncRead + Unpin)) -> (u16, Value) {
    use tokio::io::AsyncReadExt;
    let (id, length) = (reader.read_u16().await.expect("an id"), reader.read_u16().await.expect("a length"));
    let mut body = vec![0; usize::from(length)];
    reader.read_exact(&mut body).await.expect("a body");
    (id, serde_json::from_slice(&body).expect("JSON"))
}

/// Half a frame costs its sender the login deadline, and nobody else anything.
#[tokio::test]
async fn half_frames_of_many_do_not_keep_others_from_logging_in() {
    let node = Node::start().await;
    let mut stuck = Vec::new();
    for length in 1..200usize {
        let mut client = node.connect().await;
        client.send_bytes(&frame(1005, &[b' '; 200])[..length]).await;
        stuck.push(client);
    }
    node.session(7).await.expect_alive().await;
    drop(stuck);
    node.wait_for_connections(0).await;
    node.wait_for_roster(0).await;
}
