//! Sixty-four connections at once want the seat of one user.

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::support::{Client, Random, Seen, Server, Setup, StoreKind, on_both_stores};

on_both_stores!(
    g1_defect_09_of_64_logins_with_their_own_tickets_one_is_left,
    defect_16_of_64_resumes_one_is_left_and_no_notice_comes_before_its_reply,
);

const FIGHTERS: usize = 64;
const UID: u64 = 1001;

/// One that got the seat, at least for a moment.
struct Fighter {
    client: Client,
    epoch: u64,
}

/// Starts one thread per connection, in a random order, and lets them go together.
fn fight(server: &Server, seed: u64, enter: impl Fn(&Server, &mut Client) -> Value + Sync) -> Vec<Fighter> {
    let mut order: Vec<usize> = (0..FIGHTERS).collect();
    Random::new(seed).shuffle(&mut order);
    let mut clients: Vec<Option<Client>> = (0..FIGHTERS).map(|_| Some(server.connect())).collect();
    let (barrier, enter) = (Barrier::new(FIGHTERS), &enter);
    let barrier = &barrier;
    thread::scope(|scope| {
        let threads: Vec<_> = order
            .into_iter()
            .map(|at| {
                let mut client = clients[at].take().expect("each is taken once");
                scope.spawn(move || {
                    barrier.wait();
                    let reply = enter(server, &mut client);
                    Fighter { epoch: reply["epoch"].as_u64().expect("1006 has an epoch"), client }
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a fighter's thread ends well")).collect()
    })
}

/// Sorted by epoch: each but the last was told once, by its successor, and then closed; the last is served.
fn judge(server: &Server, mut fighters: Vec<Fighter>, id: u16, reason: &str) {
    fighters.sort_by_key(|fighter| fighter.epoch);
    assert_eq!(fighters.len(), FIGHTERS);
    let mut last = fighters.pop().expect("there are many");
    let mut successors: Vec<u64> = fighters.iter().skip(1).map(|fighter| fighter.epoch).collect();
    successors.push(last.epoch);
    for (fighter, successor) in fighters.iter_mut().zip(successors) {
        assert!(fighter.epoch < successor, "epochs grow strictly");
        let told = fighter.client.rest();
        assert_eq!(told.len(), 1, "exactly one notice: {told:?}");
        assert_eq!((told[0].0, &told[0].1["reason"]), (id, &json!(reason)), "{told:?}");
        if id == 1021 {
            assert_eq!(told[0].1["epoch"], successor, "the notice names the one who took the seat");
        }
    }
    last.client.beat(UID);
    server.wait_sessions(1);
    let seats = server.admin.seats(UID);
    assert_eq!(seats[0]["epoch"], last.epoch, "{seats:?}");
}

/// The old server let two logins of one user interleave when its lock was not to be had. Here each has a ticket of its
/// own; one whose ticket was voided by a newer one before it got in asks for another.
fn g1_defect_09_of_64_logins_with_their_own_tickets_one_is_left(store: StoreKind) {
    let server = Setup::new(store).set("gateway.login_attempts_max", 10_000).start();
    let fighters = fight(&server, 0x5eed_0003, |server, client| {
        loop {
            let token = server.admin.token(UID);
            let reply = client.log_in(UID, &token);
            if reply["error"] == 0 {
                break reply;
            }
            assert_eq!(reply["error"], 1010, "{reply}");
        }
    });
    judge(&server, fighters, 1021, "displaced");
}

/// The old server filled its map before it queued the reply, so a notice could come first. Here `log_in` fails on any
/// other first frame, and all of them come back with the one ticket.
fn defect_16_of_64_resumes_one_is_left_and_no_notice_comes_before_its_reply(store: StoreKind) {
    let server = Setup::new(store).start();
    let first = server.session(UID);
    let token = &first.token;
    let fighters = fight(&server, 0x5eed_0004, |_, client| {
        let reply = client.log_in(UID, token);
        assert_eq!((&reply["error"], &reply["resumed"]), (&json!(0), &json!(true)), "{reply}");
        reply
    });
    let mut client = first.client;
    assert!(matches!(client.next(), Seen::Frame(1101, body) if body["reason"] == "resumed"));
    client.expect_end();
    judge(&server, fighters, 1101, "resumed");
}
