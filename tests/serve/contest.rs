//! Sixty-four connections at once want the seat of one user.

use std::sync::{Barrier, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::support::{Client, Random, RedisServer, Server, Setup, StoreKind, on_both_stores};

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
fn fight(servers: &[&Server], seed: u64, enter: impl Fn(&Server, &mut Client) -> Value + Sync) -> Vec<Fighter> {
    let mut order: Vec<usize> = (0..FIGHTERS).collect();
    Random::new(seed).shuffle(&mut order);
    let server = |at: usize| servers[at % servers.len()];
    let mut clients: Vec<Option<Client>> = (0..FIGHTERS).map(|at| Some(server(at).connect())).collect();
    let (barrier, enter) = (Barrier::new(FIGHTERS), &enter);
    let barrier = &barrier;
    thread::scope(|scope| {
        let threads: Vec<_> = order
            .into_iter()
            .map(|at| {
                let mut client = clients[at].take().expect("each is taken once");
                scope.spawn(move || {
                    barrier.wait();
                    let reply = enter(server(at), &mut client);
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
        assert_eq!(told[0].1["epoch"], successor, "the notice names the one who took the seat");
    }
    last.client.beat(UID);
    let seats = server.admin.seats(UID);
    assert_eq!((seats.len(), seats[0]["epoch"].as_u64()), (1, Some(last.epoch)), "{seats:?}");
    let counts = server.admin.get("/v1/nodes");
    let counts = counts["nodes"].as_array().expect("a list of nodes").iter().map(|node| node["count"].as_u64());
    assert_eq!(counts.flatten().sum::<u64>(), 1);
}

/// Every fighter asks for a ticket of its own and sends its login. Only one unused ticket stands at a time, so that
/// much is done one after the other; how the logins meet in the server is not. One whose ticket was replaced before
/// its login ran tries again.
fn fight_with_own_tickets(servers: &[&Server], seed: u64) -> Vec<Fighter> {
    let turn = Mutex::new(());
    fight(servers, seed, |server, client| {
        loop {
            {
                let _turn = turn.lock().expect("nobody fails in its turn");
                let token = server.admin.token(UID);
                client.send(1005, &json!({ "uid": UID, "token": token }));
            }
            let reply = client.expect(1006);
            if reply["error"] == 0 {
                return reply;
            }
            assert_eq!(reply["error"], 1010, "{reply}");
        }
    })
}

fn setup(setup: Setup) -> Setup {
    setup.set("gateway.login_attempts_max", 10_000).set("gateway.login_timeout_ms", 60_000)
}

/// The old server let two logins of one user interleave when its lock was not to be had.
fn g1_defect_09_of_64_logins_with_their_own_tickets_one_is_left(store: StoreKind) {
    let server = setup(Setup::new(store)).start();
    let fighters = fight_with_own_tickets(&[&server], 0x5eed_0003);
    judge(&server, fighters, 1021, "displaced");
    server.wait_sessions(0);
}

#[test]
fn of_64_logins_on_two_nodes_one_is_left() {
    let redis = RedisServer::start();
    let [one, two] = ["t1", "t2"].map(|name| setup(Setup::at(&redis.url())).set("node.name", name).start());
    let fighters = fight_with_own_tickets(&[&one, &two], 0x5eed_0005);
    judge(&two, fighters, 1021, "displaced");
}

/// The old server filled its map before it queued the reply, so a notice could come first. Here `log_in` fails on any
/// other first frame, and all of them come back at once with the one ticket.
fn defect_16_of_64_resumes_one_is_left_and_no_notice_comes_before_its_reply(store: StoreKind) {
    let server = setup(Setup::new(store)).start();
    let mut first = server.session(UID);
    let token = first.token.clone();
    let fighters = fight(&[&server], 0x5eed_0004, |_, client| {
        let reply = client.log_in(UID, &token);
        assert_eq!((&reply["error"], &reply["resumed"]), (&json!(0), &json!(true)), "{reply}");
        reply
    });
    first.client.expect_goodbye("resumed");
    judge(&server, fighters, 1101, "resumed");
    server.wait_sessions(0);
}
