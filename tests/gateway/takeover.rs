//! One seat, several who want it: who is told, how often, and what the displaced may still do.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{End, Node};

/// A client that never closes is reset when the grace is over, and nothing that it sends meanwhile is served.
#[tokio::test]
async fn the_displaced_is_told_once_served_no_more_and_reset_after_the_grace() {
    let node = Node::start().await;
    let mut older = node.session(1001).await;
    let mut newer = node.session(1001).await;
    let told = Instant::now();
    let notice = older.expect(1021).await;
    assert_eq!((&notice["error"], &notice["uid"], &notice["reason"]), (&json!(0), &json!(1001), &json!("displaced")));
    assert!(notice["by"]["address"].is_string(), "{notice}");
    older.send(1023, "{}").await;
    older.send(1023, "{}").await;
    assert_eq!(older.expect_end().await, End::Reset);
    assert!((500..2_000).contains(&told.elapsed().as_millis()), "{:?}", told.elapsed());
    newer.expect_alive().await;
    assert_eq!((node.gateway.session_count(), node.roster()), (1, 1));
    node.wait_for_connections(1).await;
}

#[tokio::test]
async fn a_displaced_client_that_closes_is_gone_at_once() {
    let node = Node::start().await;
    let mut older = node.session(1001).await;
    let _newer = node.session(1001).await;
    older.expect(1021).await;
    drop(older);
    node.wait_for_connections(1).await;
    assert_eq!(node.roster(), 1);
}

/// The kick comes twice, by the login's own effect and over the node's channel, and is told once.
#[tokio::test]
async fn the_same_kick_on_both_ways_is_told_once() {
    let node = Node::with(&[("KICK__GRACE_MS", "2000")]).await;
    let mut older = node.session(1001).await;
    let _newer = node.session(1001).await;
    older.expect(1021).await;
    assert_eq!(older.expect_end().await, End::Reset);
}

#[tokio::test]
async fn the_same_ticket_resumes_and_the_older_connection_gets_a_goodbye() {
    let node = Node::start().await;
    let token = node.ticket(1001).await;
    let (mut older, mut newer) = (node.connect().await, node.connect().await);
    assert_eq!(older.login(1001, &token).await["error"], 0);
    assert_eq!(newer.login(1001, &token).await["resumed"], true);
    assert_eq!(older.expect(1101).await["reason"], "resumed");
    assert_eq!((node.gateway.session_count(), node.roster()), (1, 1));
}

#[tokio::test]
async fn the_ticket_of_the_displaced_is_refused_with_the_taker_named() {
    let node = Node::start().await;
    let old_token = node.ticket(1001).await;
    let mut older = node.connect().await;
    older.login(1001, &old_token).await;
    let mut newer = node.session(1001).await;
    older.expect(1021).await;
    let mut again = node.connect().await;
    let reply = again.login(1001, &old_token).await;
    assert_eq!((&reply["error"], &reply["reason"]), (&json!(1010), &json!("displaced")), "{reply}");
    assert!(reply["by"]["address"].is_string() && reply["at"].is_number(), "{reply}");
    newer.expect_alive().await;
}

/// 64 connections, each with a ticket of its own, log in at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_that_fight_for_one_seat_one_stays_and_every_other_is_told_once() {
    let node = Node::start().await;
    let mut fighters = Vec::new();
    for _ in 0..64 {
        // Each ticket voids the one before, so every fighter but the last needs the seat before the next is issued.
        let token = node.ticket(1001).await;
        let mut client = node.connect().await;
        client.send(1005, &json!({"uid": 1001, "token": token}).to_string()).await;
        fighters.push(client);
    }
    let outcomes = join_all(fighters.iter_mut().map(async |client| {
        let reply = client.expect(1006).await;
        match reply["error"].as_u64() {
            Some(0) => "seated",
            _ => "refused",
        }
    }))
    .await;
    let mut seated: Vec<_> = fighters.into_iter().zip(outcomes).filter(|(_, outcome)| *outcome == "seated").collect();
    let (mut last, _) = seated.pop().expect("the last ticket is good");
    last.expect_alive().await;
    for (mut displaced, _) in seated {
        displaced.expect(1021).await;
        displaced.expect_end().await;
    }
    last.expect_alive().await;
    assert_eq!((node.gateway.session_count(), node.roster()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_32_that_resume_with_one_ticket_at_once_one_stays() {
    let node = Node::start().await;
    let token = node.ticket(1001).await;
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(node.connect().await);
    }
    let body = json!({"uid": 1001, "token": token}).to_string();
    join_all(clients.iter_mut().map(|client| client.send(1005, &body))).await;
    let epochs = join_all(clients.iter_mut().map(async |client| client.expect(1006).await["epoch"].as_u64())).await;
    let best = epochs.iter().max().expect("there are 32");
    for (client, epoch) in clients.iter_mut().zip(&epochs) {
        match epoch == best {
            true => client.expect_alive().await,
            false => assert_eq!(client.expect(1101).await["reason"], "resumed"),
        }
    }
    assert_eq!((node.gateway.session_count(), node.roster()), (1, 1));
}

#[tokio::test]
async fn under_deny_the_newcomer_is_refused_and_the_holder_stays() {
    let node = Node::with(&[("SEAT__POLICY", "deny")]).await;
    let mut holder = node.session(1001).await;
    let token = node.ticket(1001).await;
    let mut newcomer = node.connect().await;
    assert_eq!(newcomer.login(1001, &token).await["error"], 1102);
    holder.expect_alive().await;
    newcomer.expect_alive().await;
}
