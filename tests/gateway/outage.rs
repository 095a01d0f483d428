//! The store is away, slow, or its script is broken: sessions stay, logins are answered at once, no ghost remains.

use std::time::{Duration, Instant};

use oneseat::script::Catalogue;
use serde_json::json;

use crate::support::{Node, wait_until};

#[tokio::test]
async fn without_the_store_sessions_stay_and_logins_are_put_off_at_once() {
    let mut node = Node::start().await;
    let mut session = node.session(1).await;
    let mut visitor = node.connect().await;
    node.store.kill();
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
    node.store.signal("-STOP");
    assert_eq!(client.login(1, &token).await["error"], 1101);
    assert_eq!(client.expect(1101).await["reason"], "internal");
    client.expect_end().await;
    node.store.signal("-CONT");
    node.endings.drained().await;
    wait_until(|| node.store.command(&["exists", "os:{0}:seat:1"]).trim() == "1", "the ended sid").await;
    node.wait_for_roster(0).await;
    wait_until(|| node.caller.is_connected(), "the store's return").await;
    node.session(1).await.expect_alive().await;
}

#[tokio::test]
async fn a_broken_script_costs_its_caller_an_answer_and_nobody_a_connection() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy_scripts(std::path::Path::new("lua"), folder.path());
    let login = folder.path().join("login/v1.lua");
    let text = std::fs::read_to_string(&login).expect("the login script");
    let broken =
        text.replacen("local now = now_ms()", "local now = now_ms() if uid == '13' then error('broken') end", 1);
    assert_ne!(text, broken, "the script was changed");
    std::fs::write(&login, broken).expect("the folder takes it");
    let node = Node::with_scripts(&[], Catalogue::from_dir(folder.path()).expect("it is still a script")).await;
    let mut session = node.session(1).await;
    let token = node.ticket(13).await;
    let mut unlucky = node.connect().await;
    assert_eq!(unlucky.login(13, &token).await, json!({"error": 1100}));
    unlucky.expect_alive().await;
    session.expect_alive().await;
    let token = node.ticket(14).await;
    assert_eq!(unlucky.login(14, &token).await["error"], 0);
}

fn copy_scripts(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("the folder takes it");
    for entry in std::fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true => copy_scripts(&from, &to),
            false => drop(std::fs::copy(from, to).expect("a file")),
        }
    }
}
