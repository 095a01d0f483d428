//! How this side closes: a whole last frame, then nothing more, and never a client that blocks others.

use std::time::Duration;

use oneseat::reason::Reason;
use oneseat::script::Effect;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{End, Node, PATIENCE, frame};

#[tokio::test]
async fn all_are_told_when_the_node_stops_and_are_logged_out() {
    let node = Node::start().await;
    let mut sessions = vec![node.session(1).await, node.session(2).await, node.session(3).await];
    let mut visitor = node.connect().await;
    visitor.expect_alive().await;
    node.stop.send(true).expect("the gateway listens");
    let closing = tokio::spawn({
        let gateway = node.gateway.clone();
        async move { gateway.close_all(Reason::Shutdown, PATIENCE).await }
    });
    for client in sessions.iter_mut().chain([&mut visitor]) {
        let goodbye = json!({"error": 1101, "reason": "shutdown", "retry_after_ms": 1000});
        assert_eq!(client.expect(1101).await, goodbye);
        assert_eq!(client.expect_end().await, End::Closed);
    }
    drop((sessions, visitor));
    closing.await.expect("it ends");
    assert_eq!(node.gateway.connection_count(), 0);
    node.endings.drained().await;
    assert_eq!(node.roster(), 0);
}

#[tokio::test]
async fn an_operator_can_close_one_session() {
    let node = Node::start().await;
    let (mut first, mut second) = (node.session(1).await, node.session(2).await);
    let sid = node.gateway.sessions().into_iter().find(|session| session.seat.uid.as_str() == "1").map(|one| one.sid);
    node.gateway.close(sid.expect("it is here"), Reason::Drained);
    assert_eq!(first.expect(1101).await["reason"], "drained");
    first.expect_end().await;
    second.expect_alive().await;
    node.wait_for_roster(1).await;
}

#[tokio::test]
async fn frames_of_others_reach_a_session_and_stop_at_a_stranger() {
    let node = Node::start().await;
    let mut client = node.session(1).await;
    let mut visitor = node.connect().await;
    visitor.expect_alive().await;
    let sid = node.gateway.sessions()[0].sid;
    let deliver = |sid| Effect::Deliver { sid, id: 1019, body: r#"{"error":0}"#.into(), step: None };
    node.gateway.apply(vec![deliver(oneseat::id::Sid::new()), deliver(sid)]);
    assert_eq!(client.expect(1019).await, json!({"error": 0}));
    visitor.expect_alive().await;
}

/// A client that does not read is closed as slow; what it gets up to there is whole frames, a goodbye last.
#[tokio::test]
async fn defect_40_a_client_that_does_not_read_is_closed_and_no_frame_is_cut() {
    let node = Node::start().await;
    let mut slow = node.session(1).await;
    let mut other = node.session(2).await;
    let sid = node.gateway.sessions().into_iter().find(|session| session.seat.uid.as_str() == "1").map(|one| one.sid);
    let sid = sid.expect("it is here");
    let body = json!({"error": 0, "text": "x".repeat(10_000)}).to_string();
    let mut sent = 0;
    while node.gateway.is_here(sid) {
        node.gateway.apply(vec![Effect::Deliver { sid, id: 1019, body: body.clone().into(), step: None }]);
        sent += 1;
        assert!(sent < 5_000, "50 MB are not taken by a client that does not read");
        tokio::task::yield_now().await;
    }
    other.expect_alive().await;
    let mut received = 0;
    let last = loop {
        match slow.receive().await.expect("a goodbye comes before the end") {
            (1019, frame) => assert_eq!(frame.to_string().len(), body.len(), "frame {received}"),
            (id, frame) => break (id, frame),
        }
        received += 1;
    };
    assert_eq!(last, (1101, json!({"error": 1106, "reason": "slow", "retry_after_ms": 1000})));
    assert!(received < sent, "what waited in the mailbox was dropped");
    node.wait_for_roster(1).await;
}

#[tokio::test]
async fn a_client_that_asks_and_asks_without_reading_is_closed() {
    let node = Node::start().await;
    let client = node.session(1).await;
    // A small window, so that not megabytes of answers fit into it.
    socket2::SockRef::from(&client.stream).set_recv_buffer_size(4_096).expect("the system allows it");
    let (mut reader, mut writer) = client.stream.into_split();
    let burst: Vec<u8> = (0..1_000).flat_map(|_| frame(1007, b"[]")).collect();
    let asking = async { while writer.write_all(&burst).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, asking).await.expect("the server resets a client that goes on");
    let mut rest = Vec::new();
    let _ = reader.read_to_end(&mut rest).await;
    node.wait_for_connections(0).await;
    node.wait_for_roster(0).await;
}

/// The client closes its own direction only: what it asked before is answered.
#[tokio::test]
async fn a_half_closed_client_still_gets_its_answers() {
    let node = Node::start().await;
    let token = node.ticket(7).await;
    let mut client = node.connect().await;
    client.send(1005, &json!({"uid": 7, "token": token}).to_string()).await;
    client.send(1023, "").await;
    client.stream.shutdown().await.expect("it is open");
    assert_eq!(client.expect(1006).await["error"], 0);
    client.expect(1024).await;
    assert_eq!(client.expect_end().await, End::Closed);
    node.wait_for_roster(0).await;
}

/// Kicked while it does not read at all: it is reset when the grace is over all the same.
#[tokio::test]
async fn defect_06_a_kicked_client_that_never_reads_does_not_stay() {
    let node = Node::with(&[("KICK__GRACE_MS", "300")]).await;
    let older = node.session(1).await;
    let _newer = node.session(1).await;
    tokio::time::timeout(Duration::from_secs(5), node.wait_for_connections(1)).await.expect("it is reset");
    drop(older);
}
