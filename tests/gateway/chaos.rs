//! Everything at once: many clients, few users, every way to leave. Afterwards nothing of anybody may be left.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Client, Node, frame, wait_until};

const CLIENTS: u64 = 48;
const ROUNDS: u64 = 25;
const USERS: u64 = 5;

/// A generator that is good enough to choose by, and the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_clients_that_come_and_go_in_every_way() {
    let node = Node::with(&[("KICK__GRACE_MS", "200")]).await;
    let stayed: Vec<_> = join_all((0..CLIENTS).map(|client| live(&node, client))).await.into_iter().flatten().collect();
    let open: usize = stayed.len();
    wait_until(|| node.gateway.connection_count() <= open, "the end of those who left").await;
    let is_exact = || {
        let seated = node.gateway.sessions().len();
        node.gateway.session_count() == seated && node.roster() == seated as u64 && seated as u64 <= USERS
    };
    wait_until(is_exact, "exact counts").await;
    drop(stayed);
    node.wait_for_connections(0).await;
    node.wait_for_roster(0).await;
    node.endings.drained().await;
    assert_eq!((node.gateway.session_count(), node.roster(), node.gateway.sessions().len()), (0, 0, 0));
}

/// Some rounds of one client; what is left of the last one.
async fn live(node: &Node, client: u64) -> Option<Client> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (client + 1));
    let mut last = None;
    for _ in 0..ROUNDS {
        let uid = 1 + dice.roll(USERS);
        let token = node.ticket(uid).await;
        let mut client = node.connect().await;
        let login = frame(1005, json!({"uid": uid, "token": token}).to_string().as_bytes());
        match dice.roll(6) {
            // Gone before the answer, in order or by a reset.
            0 => client.send_bytes(&login).await,
            1 => {
                client.send_bytes(&login).await;
                client.stream.set_zero_linger().expect("the system allows it");
            }
            // Gone in the middle of a frame.
            2 => client.send_bytes(&login[..login.len() - 5]).await,
            // Twice on one connection, and gone.
            3 => client.send_bytes(&[login.clone(), login].concat()).await,
            // In order.
            _ => {
                client.send_bytes(&login).await;
                client.expect(1006).await;
                last = Some(client);
            }
        }
        for _ in 0..dice.roll(8) {
            tokio::task::yield_now().await;
        }
    }
    last
}
