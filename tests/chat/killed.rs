//! Texts while nodes are killed and come back: what a sender was told is accepted is shown, in order, and never again once
//! its acknowledgement was answered.
//!
//! What clients saw is written down and judged afterwards, by nothing but that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Random, Seen, frame, wait_until};
use crate::talker::contents;
use crate::town::{Place, Town};

/// Pairs of a sender and a receiver.
const PAIRS: u64 = 6;
/// Kills, one node after the other.
const KILLS: usize = 4;
/// Texts that have to be accepted between two kills.
const TEXTS_BETWEEN: u64 = 60;

/// What one session of a receiver saw, in order.
#[derive(Default, Debug)]
struct Life {
    /// Numbers of the texts that it was shown.
    shown: Vec<u64>,
    /// How many were shown when each position was acknowledged.
    asked: BTreeMap<u64, usize>,
    /// How many of them have an acknowledgement that was answered.
    settled: usize,
}

impl Life {
    /// Texts came, with a position: they are acknowledged.
    fn show(&mut self, client: &mut Client, texts: &Value, position: &Value) {
        self.shown.extend(contents(texts).iter().map(|text| text.parse::<u64>().expect("a number")));
        let Some(position) = position.as_u64() else { return };
        self.asked.insert(position, self.shown.len());
        // A broken connection shows at the next read.
        let _ = client.try_send(&frame(1102, json!({ "id": position }).to_string().as_bytes()));
    }

    /// An acknowledgement was answered.
    fn settle(&mut self, answer: &Value) {
        let count = answer["id"].as_u64().filter(|_| answer["error"] == 0).and_then(|id| self.asked.get(&id));
        self.settled = self.settled.max(count.copied().unwrap_or(0));
    }
}

/// Addresses and admin ports change when a node comes back.
struct Doors(Mutex<Vec<Option<(SocketAddr, SocketAddr)>>>);

impl Doors {
    /// A node that lives, or lived a moment ago; `turn` spreads those who ask.
    fn any(&self, turn: u64) -> Option<(SocketAddr, SocketAddr)> {
        let doors = self.0.lock().expect("nobody panics with it");
        let open: Vec<_> = doors.iter().flatten().copied().collect();
        let index = usize::try_from(turn).unwrap_or(0) % open.len().max(1);
        open.get(index).copied()
    }
}

/// A session on some node; `None` where that did not work out.
fn log_in(doors: &Doors, uid: u64, turn: u64) -> Option<(Client, Value)> {
    let (clients, admin) = doors.any(turn)?;
    let ticket = ureq::post(format!("http://{admin}/v1/tickets")).send_json(json!({ "uid": uid }));
    let ticket: Value = ticket.ok()?.body_mut().read_json().ok()?;
    let mut client = Client::over(std::net::TcpStream::connect(clients).ok()?);
    let login = json!({ "uid": uid, "token": ticket["token"], "features": ["ack"] });
    client.try_send(&frame(1005, login.to_string().as_bytes())).ok()?;
    match client.next_within(Duration::from_secs(5))? {
        Seen::Frame(1006, body) if body["error"] == 0 => Some((client, body)),
        _ => None,
    }
}

/// Sends numbered texts, each until it is known to be accepted.
fn send(doors: &Doors, uid: u64, stop: &AtomicBool, accepted: &AtomicU64) -> BTreeSet<u64> {
    let (mut done, mut number, mut turn) = (BTreeSet::new(), 0, uid);
    while !stop.load(Ordering::Acquire) {
        turn += 1;
        let Some((mut client, _)) = log_in(doors, uid, turn) else { continue };
        while !stop.load(Ordering::Acquire) {
            let text = json!({ "content": number.to_string(), "msgid": format!("{uid}-{number}") });
            let body = json!({ "fromuid": uid, "touid": uid + 1000, "text_array": [text] });
            if client.try_send(&frame(1017, body.to_string().as_bytes())).is_err() {
                break;
            }
            let Some(answer) = answer_to_text(&mut client) else { break };
            if answer["error"] == 0 {
                done.insert(number);
                number += 1;
                accepted.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
    done
}

/// The next 1018; `None` where the session ended or says nothing for long.
fn answer_to_text(client: &mut Client) -> Option<Value> {
    loop {
        match client.next_within(Duration::from_secs(5))? {
            Seen::Frame(1018, body) => return Some(body),
            Seen::Frame(..) => {}
            Seen::End => return None,
        }
    }
}

/// Reads and acknowledges, life after life.
fn receive(doors: &Doors, uid: u64, stop: &AtomicBool) -> Vec<Life> {
    let (mut lives, mut turn) = (Vec::new(), uid);
    while !stop.load(Ordering::Acquire) {
        turn += 1;
        let Some((mut client, reply)) = log_in(doors, uid, turn) else { continue };
        let mut life = Life::default();
        life.show(&mut client, &reply["unread_messages"], &reply["id"]);
        loop {
            match client.next_within(Duration::from_millis(100)) {
                Some(Seen::Frame(1019, body)) => life.show(&mut client, &body["text_array"], &body["id"]),
                Some(Seen::Frame(1103, body)) => life.settle(&body),
                Some(Seen::Frame(..)) => {}
                Some(Seen::End) => break,
                None if stop.load(Ordering::Acquire) => break,
                None => {}
            }
        }
        lives.push(life);
    }
    lives
}

/// Holds what one receiver was shown against what its sender was told.
fn judge(accepted: &BTreeSet<u64>, lives: &[Life]) {
    let all: BTreeSet<u64> = lives.iter().flat_map(|life| life.shown.iter().copied()).collect();
    let lost: Vec<_> = accepted.difference(&all).collect();
    assert!(lost.is_empty(), "accepted and never shown: {lost:?}");
    let mut settled: BTreeSet<u64> = BTreeSet::new();
    for life in lives {
        assert!(life.shown.is_sorted_by(|one, next| one < next), "in order, each once: {:?}", life.shown);
        let again: Vec<_> = life.shown.iter().filter(|number| settled.contains(*number)).collect();
        assert!(again.is_empty(), "shown again after the acknowledgement was answered: {again:?}");
        settled.extend(&life.shown[..life.settled]);
    }
}

#[test]
fn g10_texts_survive_nodes_that_are_killed() {
    let given = std::env::var("ONESEAT_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(crate::support::clock_ms);
    println!("seed {seed}; ONESEAT_SEED={seed} runs it again");
    let mut random = Random::new(seed);
    let mut town = Town::with(Place::TwoNodes, |setup| setup.set("node.verify_ms", 1_000));
    for uid in 1..=PAIRS {
        for (user, friend) in [(uid, uid + 1000), (uid + 1000, uid)] {
            let element = json!({ "uid": friend, "since": 1 }).to_string();
            town.look().run(&["HSET", &format!("os:{{0}}:friends:{user}"), &friend.to_string(), &element]);
        }
    }
    let door = |node: &crate::support::Server| Some((node.address(), node.admin_address()));
    let doors = Doors(Mutex::new(town.nodes.iter().map(door).collect()));
    let (no_more_texts, no_more_receivers, accepted) =
        (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    let stories: Vec<(u64, BTreeSet<u64>, Vec<Life>)> = thread::scope(|scope| {
        let (doors, no_more_texts, no_more_receivers, accepted) =
            (&doors, &no_more_texts, &no_more_receivers, &accepted);
        let pairs: Vec<_> = (1..=PAIRS)
            .map(|uid| {
                let sending = scope.spawn(move || send(doors, uid, no_more_texts, accepted));
                let receiving = scope.spawn(move || receive(doors, uid + 1000, no_more_receivers));
                (uid, sending, receiving)
            })
            .collect();
        for _ in 0..KILLS {
            let goal = accepted.load(Ordering::Acquire) + TEXTS_BETWEEN;
            wait_until("texts are accepted", || (accepted.load(Ordering::Acquire) >= goal).then_some(()));
            let victim = random.below(2);
            doors.0.lock().expect("nobody panics with it")[victim] = None;
            town.nodes[victim].kill();
            let goal = accepted.load(Ordering::Acquire) + TEXTS_BETWEEN;
            wait_until("texts are accepted without it", || (accepted.load(Ordering::Acquire) >= goal).then_some(()));
            town.nodes[victim].start_again();
            doors.0.lock().expect("nobody panics with it")[victim] = door(&town.nodes[victim]);
        }
        no_more_texts.store(true, Ordering::Release);
        let sent: Vec<_> =
            pairs.into_iter().map(|(uid, sending, receiving)| (uid, sending.join(), receiving)).collect();
        no_more_receivers.store(true, Ordering::Release);
        sent.into_iter()
            .map(|(uid, sent, receiving)| (uid, sent.expect("no panic"), receiving.join().expect("no panic")))
            .collect()
    });
    for (uid, accepted, mut lives) in stories {
        // What nobody was shown yet is still there for the next device.
        let last = crate::talker::Talker::old(town.there(), uid + 1000);
        let numbers = last.unread().iter().map(|text| text.parse().expect("a number")).collect();
        lives.push(Life { shown: numbers, ..Life::default() });
        println!("{uid}: {} accepted, {} sessions of the receiver", accepted.len(), lives.len());
        judge(&accepted, &lives);
    }
}

#[test]
fn what_is_judged_can_be_found_wrong() {
    let life = |shown: &[u64], settled| Life { shown: shown.to_vec(), settled, ..Life::default() };
    let accepted = BTreeSet::from([1, 2, 3]);
    judge(&accepted, &[life(&[1, 2], 1), life(&[2, 3], 2)]);
    for forged in [
        vec![life(&[1, 2], 2)],
        vec![life(&[1, 2, 2, 3], 0)],
        vec![life(&[2, 1, 3], 0)],
        vec![life(&[1, 2], 2), life(&[2, 3], 0)],
    ] {
        let judged = std::panic::catch_unwind(|| judge(&accepted, &forged));
        assert!(judged.is_err(), "{forged:?}");
    }
}
