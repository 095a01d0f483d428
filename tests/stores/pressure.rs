//! More logins than the store answers: a few wait, the others are told at once when to come back.

use std::time::Duration;

use serde_json::json;

use crate::support::{Client, RedisServer, Seen, Setup, wait_until};

/// Calls in flight, and those that may wait for them while the store does not answer at all.
const CALLS_MAX: usize = 2;
const WAITING: usize = 16 * CALLS_MAX;

#[test]
fn logins_that_would_wait_long_are_refused_at_once_and_come_back_one_after_the_other() {
    let redis = RedisServer::start();
    let server = Setup::at(&redis.url())
        .set("redis.calls_max", CALLS_MAX)
        .set("redis.timeout_ms", 20_000)
        .set("node.lease_ms", 60_000)
        .start();
    let tokens: Vec<(u64, String)> = (1000..1100).map(|uid| (uid, server.admin.token(uid))).collect();
    redis.pause();
    let mut clients: Vec<Client> = tokens.iter().map(|(uid, token)| log_in(server.connect(), *uid, token)).collect();
    let refused = clients.len() - CALLS_MAX - WAITING;
    // All of this happens while the store says nothing.
    wait_until("those that are too many are refused", || {
        (server.metric("oneseat_refusals_total{cause=\"busy\"}") == refused as u64).then_some(())
    });
    let mut retries = Vec::new();
    wait_until("those that were refused are told so", || {
        clients.retain_mut(|client| match client.next_within(Duration::from_millis(1)) {
            Some(Seen::Frame(1006, body)) => {
                assert_eq!(body["error"], 1101, "{body}");
                retries.push(body["retry_after_ms"].as_u64().expect("a time"));
                false
            }
            Some(other) => panic!("a login is answered with {other:?}"),
            None => true,
        });
        (retries.len() == refused).then_some(())
    });
    assert!(retries.iter().all(|ms| *ms >= 1000), "{retries:?}");
    let (soonest, latest) = (retries.iter().min(), retries.iter().max());
    assert!(latest > soonest, "{retries:?}");
    redis.resume();
    for mut client in clients {
        assert_eq!(client.expect(1006)["error"], 0);
    }
    let (uid, token) = &tokens[99];
    assert_eq!(server.connect().log_in(*uid, token)["error"], 0, "who comes back later has a turn");
}

fn log_in(mut client: Client, uid: u64, token: &str) -> Client {
    client.send(1005, &json!({ "uid": uid, "token": token }));
    client
}
