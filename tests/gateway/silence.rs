//! Who says nothing: visitors past their deadline, sessions past the limit.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Node;

/// A limit of one second, and a grace that is longer than the delay that is allowed.
const SHORT: [(&str, &str); 2] = [("HEARTBEAT__INTERVAL_MS", "500"), ("HEARTBEAT__LIMIT_MS", "1000")];

#[tokio::test]
async fn a_silent_session_is_expired_within_a_second_of_its_limit() {
    let node = Node::with(&SHORT).await;
    let mut client = node.session(1001).await;
    let start = Instant::now();
    assert_eq!(client.expect(1101).await, json!({"error": 0, "reason": "expired"}));
    client.expect_end().await;
    assert!((1_000..2_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    node.wait_for_roster(0).await;
    assert_eq!(node.store.command(&["hget", "os:{0}:seat:1001", "main:end"]).trim(), "expired");
}

#[tokio::test]
async fn any_whole_frame_is_a_sign_of_life_and_half_a_frame_is_not() {
    let node = Node::with(&SHORT).await;
    let (mut lively, mut half) = (node.session(1001).await, node.session(1002).await);
    let start = Instant::now();
    let half_is_expired = tokio::spawn(async move {
        half.send_bytes(&[0x03, 0xff, 0x00]).await;
        half.expect(1101).await["reason"].clone()
    });
    let mut beats = tokio::time::interval(Duration::from_millis(300));
    while start.elapsed() < Duration::from_millis(2_500) {
        beats.tick().await;
        lively.send(0x9000, "").await;
    }
    lively.expect_alive().await;
    assert_eq!(half_is_expired.await.expect("it ends"), "expired");
}

#[tokio::test]
async fn defect_25_heartbeats_do_not_lengthen_the_time_to_log_in() {
    let node = Node::with(&[("GATEWAY__LOGIN_TIMEOUT_MS", "1000")]).await;
    let mut client = node.connect().await;
    let start = Instant::now();
    let mut beats = tokio::time::interval(Duration::from_millis(200));
    let reason = loop {
        beats.tick().await;
        client.send(1023, "{}").await;
        match client.receive().await.expect("a heartbeat's answer or the goodbye") {
            (1024, _) => assert!(start.elapsed() < Duration::from_secs(5), "it may not stay for ever"),
            (id, body) => break (id, body),
        }
    };
    assert_eq!(reason, (1101, json!({"error": 1103, "reason": "auth_timeout"})));
    assert!((1_000..2_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

/// Story: the session object was made while waiting for the accept before, and was expired when it was born.
#[tokio::test]
async fn defect_19_a_connection_after_a_quiet_time_is_not_expired_at_once() {
    let node = Node::with(&[SHORT[0], SHORT[1], ("GATEWAY__LOGIN_TIMEOUT_MS", "1000")]).await;
    let first = node.connect().await;
    node.wait_for_connections(1).await;
    node.wait_for_connections(0).await;
    drop(first);
    node.session(7).await.expect_alive().await;
}
