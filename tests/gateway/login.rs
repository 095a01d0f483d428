//! Logging in: what is answered, what counts as the same session, and what must not leave a ghost.

use serde_json::json;

use crate::support::{Node, wait_until};

#[tokio::test]
async fn a_login_is_answered_with_the_session_and_counted() {
    let node = Node::start().await;
    let token = node.ticket(1001).await;
    let mut client = node.connect().await;
    let reply = client.login(1001, &token).await;
    assert_eq!((&reply["error"], &reply["uid"]), (&json!(0), &json!(1001)), "{reply}");
    let sessions = node.gateway.sessions();
    assert_eq!(reply["sid"], sessions[0].sid.to_string());
    assert_eq!(reply["epoch"], sessions[0].rank.epoch);
    assert_eq!((&reply["heartbeat_interval_ms"], &reply["heartbeat_limit_ms"]), (&json!(10_000), &json!(60_000)));
    assert_eq!((node.gateway.session_count(), node.roster()), (1, 1));
    client.expect_alive().await;
}

#[tokio::test]
async fn a_client_that_closes_is_logged_out() {
    let node = Node::start().await;
    let client = node.session(1001).await;
    drop(client);
    node.wait_for_roster(0).await;
    node.wait_for_connections(0).await;
    assert_eq!(node.gateway.session_count(), 0);
}

#[tokio::test]
async fn wrong_tickets_are_refused_and_their_number_is_bounded() {
    let node = Node::with(&[("GATEWAY__LOGIN_ATTEMPTS_MAX", "3")]).await;
    let mut client = node.connect().await;
    assert_eq!(client.login(7, "never issued").await["error"], 1011);
    node.ticket(7).await;
    assert_eq!(client.login(7, "wrong").await["error"], 1010);
    client.send(1005, "{}").await;
    assert_eq!(client.expect(1006).await["error"], 1001, "what never reached the store is no attempt");
    assert_eq!(client.login(7, "wrong").await["error"], 1010);
    assert_eq!(client.expect(1101).await, json!({"error": 1106, "reason": "auth_timeout", "retry_after_ms": 1000}));
    client.expect_end().await;
}

#[tokio::test]
async fn a_failed_login_can_be_followed_by_a_good_one() {
    let node = Node::start().await;
    let token = node.ticket(7).await;
    let mut client = node.connect().await;
    assert_eq!(client.login(7, "wrong").await["error"], 1010);
    assert_eq!(client.login(7, &token).await["error"], 0);
    client.expect_alive().await;
}

/// Story: the original kicked itself, and left both keys behind for ever.
#[tokio::test]
async fn defect_03_login_twice_on_one_connection_is_not_a_kick() {
    let node = Node::start().await;
    let token = node.ticket(1001).await;
    let mut client = node.connect().await;
    let first = client.login(1001, &token).await;
    let second = client.login(1001, &token).await;
    assert_eq!((&second["error"], &second["sid"], &second["epoch"]), (&json!(0), &first["sid"], &first["epoch"]));
    client.expect_alive().await;
    assert_eq!((node.gateway.session_count(), node.roster()), (1, 1));
    drop(client);
    node.wait_for_roster(0).await;
}

#[tokio::test]
async fn defect_04_a_second_user_on_the_same_connection_is_refused() {
    let node = Node::start().await;
    let mut client = node.session(1001).await;
    let token = node.ticket(1002).await;
    assert_eq!(client.login(1002, &token).await, json!({"error": 1104}));
    client.expect_alive().await;
    assert_eq!(node.roster(), 1);
}

/// One connection is one session and holds one seat.
#[tokio::test]
async fn a_login_for_another_class_on_the_same_connection_is_refused() {
    let node = Node::start().await;
    let (phone, tablet) = (node.ticket_for(7, "phone").await, node.ticket_for(7, "tablet").await);
    let mut client = node.connect().await;
    assert_eq!(client.login(7, &phone).await["class"], "phone");
    assert_eq!(client.login(7, &tablet).await["error"], 1102);
    client.expect_alive().await;
    let mut other = node.connect().await;
    assert_eq!(other.login(7, &tablet).await["class"], "tablet");
    assert_eq!((node.gateway.session_count(), node.roster()), (2, 2));
    drop(client);
    node.wait_for_roster(1).await;
    other.expect_alive().await;
}

/// Story: the clean-up ran first and found nothing, then the login registered a dead connection.
#[tokio::test]
async fn defect_05_a_connection_that_dies_during_its_login_leaves_no_ghost() {
    let node = Node::start().await;
    let token = node.ticket(1001).await;
    let mut client = node.connect().await;
    node.store.command(&["client", "pause", "60000", "write"]);
    client.send(1005, &json!({"uid": 1001, "token": token}).to_string()).await;
    drop(client);
    node.store.command(&["client", "unpause"]);
    wait_until(|| node.store.command(&["hget", "os:{0}:seat:1001", "main:sid"]).trim().len() == 36, "the login").await;
    node.wait_for_roster(0).await;
    node.wait_for_connections(0).await;
}

#[tokio::test]
async fn what_a_client_sends_behind_its_login_is_served_after_the_answer() {
    let node = Node::start().await;
    let token = node.ticket(1001).await;
    let mut client = node.connect().await;
    let login = crate::support::frame(1005, json!({"uid": 1001, "token": token}).to_string().as_bytes());
    let heartbeat = crate::support::frame(1023, br#"{"fromuid":1001}"#);
    client.send_bytes(&[heartbeat.clone(), login, heartbeat.clone(), heartbeat].concat()).await;
    for id in [1024, 1006, 1024, 1024] {
        assert_eq!(client.expect(id).await["error"], 0);
    }
}

#[tokio::test]
async fn too_many_connections_are_told_so() {
    let node = Node::with(&[("GATEWAY__CONNECTIONS_MAX", "2"), ("NODE__CAPACITY", "2")]).await;
    let mut first = node.connect().await;
    let mut second = node.connect().await;
    first.expect_alive().await;
    second.expect_alive().await;
    let mut third = node.connect().await;
    assert_eq!(third.expect(1101).await["error"], 1106);
    third.expect_end().await;
    drop(first);
    node.wait_for_connections(1).await;
    node.connect().await.expect_alive().await;
}
