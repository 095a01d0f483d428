//! The store is away or hangs: sessions stay, logins are answered at once, no ghost remains.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Engine, Node, Store, wait_until};

#[tokio::test]
async fn without_the_store_sessions_stay_and_logins_are_put_off_at_once() {
    let node = Node::start().await;
    let mut session = node.session(1).await;
    let mut visitor = node.connect().await;
    signal(&node.store, "-KILL");
    wait_until(|| !node.caller.is_connected(), "the loss of the store").await;
    let start = Instant::now();
    let reply = visitor.login(2, "any").await;
    assert_eq!(reply["error"], 1101, "{reply}");
    assert!(reply["retry_after_ms"].is_u64() && start.elapsed() < Duration::from_millis(500), "{reply}");
    session.expect_alive().await;
    visitor.expect_alive().await;
    assert_eq!(node.gateway.session_count(), 1);
}

/// The answer is lost: nobody knows whether the login took the seat, so its sid is ended until that is certain.
#[tokio::test]
async fn a_login_whose_answer_is_lost_leaves_no_ghost() {
    let node = Node::with(&[("REDIS__TIMEOUT_MS", "300")]).await;
    let token = node.ticket(1).await;
    let mut client = node.connect().await;
    signal(&node.store, "-STOP");
    assert_eq!(client.login(1, &token).await["error"], 1101);
    assert_eq!(client.expect(1101).await["reason"], "internal");
    client.expect_end().await;
    signal(&node.store, "-CONT");
    node.endings.drained().await;
    wait_until(|| node.store.command(&["exists", "os:{0}:seat:1"]).trim() == "1", "the ended sid").await;
    node.wait_for_roster(0).await;
    wait_until(|| node.caller.is_connected(), "the store's return").await;
    node.session(1).await.expect_alive().await;
}

/// Sends a signal to the process of a `redis-server`.
fn signal(store: &Store, name: &str) {
    let Engine::Redis(process) = &store.engine else { panic!("the embedded store has no process of its own") };
    let status = Command::new("kill").args([name, &process.id().to_string()]).status().expect("kill runs");
    assert!(status.success());
}
