//! Clients that log in again and again, now at one node and now at the other, and write down what they were told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, PATIENCE, Random, Seen, Server, wait_until};

/// Users that one thread looks after.
const USERS_PER_THREAD: u64 = 6;
const THREADS: u64 = 4;
/// How long a client waits for an answer before it takes the server for dead.
const ANSWER: Duration = Duration::from_secs(20);

/// The last session of each user: its client, its sid and its node.
pub struct Held {
    pub uid: u64,
    pub node: &'static str,
    pub sid: String,
    pub client: Client,
}

/// What a storm of logins came to.
#[derive(Default)]
pub struct Told {
    /// Logins that gave a seat.
    pub seated: AtomicUsize,
    /// Logins and tickets that were answered "try again".
    pub again: AtomicUsize,
}

impl Told {
    /// Logins that were answered one way or the other.
    pub fn answered(&self) -> usize {
        self.seated.load(Ordering::Relaxed) + self.again.load(Ordering::Relaxed)
    }
}

/// Logs users in over both nodes while `during` runs, and until each of them holds a seat after that. Answers the
/// sessions that are held at the end. Anything but a seat or "try again" fails the test.
pub fn storm(seed: u64, nodes: [&Server; 2], told: &Told, during: impl FnOnce()) -> Vec<Held> {
    println!("seed {seed}");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let is_over = &is_over;
                scope.spawn(move || work(Random::new(seed + thread), thread, nodes, told, is_over))
            })
            .collect();
        during();
        is_over.store(true, Ordering::Release);
        threads.into_iter().flat_map(|thread| thread.join().expect("a worker found something wrong")).collect()
    })
}

/// The sessions as the stores should have them.
pub fn as_sessions(held: &[Held]) -> BTreeMap<(u64, String), String> {
    held.iter().map(|held| ((held.uid, held.sid.clone()), held.node.to_owned())).collect()
}

fn work(mut random: Random, thread: u64, nodes: [&Server; 2], told: &Told, is_over: &AtomicBool) -> Vec<Held> {
    let first = 1000 + thread * USERS_PER_THREAD;
    let mut held: BTreeMap<u64, Held> = BTreeMap::new();
    loop {
        let is_last = is_over.load(Ordering::Acquire);
        let mut users: Vec<u64> = (first..first + USERS_PER_THREAD).collect();
        random.shuffle(&mut users);
        for uid in users {
            let index = random.below(2);
            let newer = wait_until("a login succeeds", || log_in(nodes[index], ["t1", "t2"][index], uid, told));
            if let Some(older) = held.insert(uid, newer) {
                expect_displaced(older);
            }
        }
        if is_last {
            return held.into_values().collect();
        }
    }
}

/// One try; `None` where the user was asked to try again.
fn log_in(server: &Server, node: &'static str, uid: u64, told: &Told) -> Option<Held> {
    let attempt = || {
        let (status, ticket) = server.admin.post("/v1/tickets", &json!({ "uid": uid }));
        assert!(matches!(status, 200 | 503 | 504), "a ticket is given, or asked for again: {status} {ticket}");
        let token = ticket["token"].as_str()?;
        let mut client = server.connect();
        client.send(1005, &json!({ "uid": uid, "token": token }));
        let reply = answer(&mut client)?;
        match reply["error"].as_u64() {
            Some(0) => Some(Held { uid, node, sid: reply["sid"].as_str().expect("1006 has a sid").to_owned(), client }),
            Some(1101) => {
                assert!(reply["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0), "{reply}");
                None
            }
            _ => panic!("{uid} at {node} is told {reply}"),
        }
    };
    let outcome = attempt();
    let count = if outcome.is_some() { &told.seated } else { &told.again };
    count.fetch_add(1, Ordering::Relaxed);
    outcome
}

/// The body of 1006; `None` where the connection ends instead, as it does when nobody knows what came of the login.
fn answer(client: &mut Client) -> Option<Value> {
    match client.next_within(ANSWER).expect("a login is answered") {
        Seen::Frame(1006, body) => Some(body),
        Seen::Frame(1101, body) => {
            assert_eq!(body["reason"], "internal", "{body}");
            None
        }
        other => panic!("a login is answered with {other:?}"),
    }
}

/// Who was displaced is told at most once, and gone; what came of it before that does not matter here.
fn expect_displaced(mut older: Held) {
    let mut notices = 0;
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let left = end.saturating_duration_since(std::time::Instant::now());
        match older.client.next_within(left).unwrap_or_else(|| panic!("{} is displaced and was never told", older.uid))
        {
            Seen::Frame(1021, body) => {
                assert_eq!(body["reason"], "displaced", "{body}");
                notices += 1;
            }
            Seen::Frame(1101, _) => {}
            Seen::Frame(id, body) => panic!("{} is told {id} {body}", older.uid),
            Seen::End => break,
        }
    }
    assert!(notices <= 1, "{} was told {notices} times", older.uid);
}
