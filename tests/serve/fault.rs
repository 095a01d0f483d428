//! The store answers, but not as hoped: it is full, read-only, or its connections are cut in the midst of logins.

use std::ops::RangeFrom;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::{Random, Server, Session, Setup, StoreKind, on_both_stores, wait_until};

on_both_stores!(a_restless_verify_harms_no_login);

fn start() -> Server {
    Setup::new(StoreKind::Redis).set("redis.timeout_ms", 500).set("node.verify_ms", 1000).start()
}

/// Logs in until the store lets it.
fn log_in_at_last(server: &Server, uid: u64, token: &str) -> Session {
    let reply = wait_until("the store takes logins again", || {
        let mut client = server.connect();
        let reply = client.log_in(uid, token);
        (reply["error"] == 0).then_some((client, reply))
    });
    Session { client: reply.0, uid, token: token.to_owned(), reply: reply.1 }
}

/// The store's own protection holds for logins because that script does not begin with a deletion; leaving does.
#[test]
fn a_full_store_refuses_logins_and_is_left_as_it_was() {
    let server = start();
    let mut session = server.session(1001);
    let token = server.admin.token(1002);
    let state = || {
        let mut look = server.look();
        let mut fields = look.texts(&["HGETALL", "os:{0}:ticket:1002"]);
        fields.sort();
        (fields, look.run(&["EXISTS", "os:{0}:seat:1002"]), server.roster())
    };
    let before = state();
    server.look().run(&["CONFIG", "SET", "maxmemory", "1"]);
    let reply = server.connect().log_in(1002, &token);
    assert_eq!(reply["error"], 1101, "{reply}");
    assert_eq!(server.admin.post("/v1/tickets", &json!({ "uid": 1003 })).0, 503);
    assert_eq!(state(), before);
    session.beat();

    // Whoever leaves meanwhile is logged out all the same: that script frees before it notes.
    drop(session);
    wait_until("the seat is given up", || server.roster().is_empty().then_some(()));
    server.look().run(&["CONFIG", "SET", "maxmemory", "0"]);
    log_in_at_last(&server, 1002, &token).beat();
}

/// What a node sees in the first moments of a failover.
#[test]
fn a_read_only_store_costs_no_session() {
    let server = start();
    let mut session = server.session(1001);
    let token = server.admin.token(1002);
    server.look().run(&["REPLICAOF", "127.0.0.1", "1"]);
    let reply = server.connect().log_in(1002, &token);
    assert_eq!(reply["error"], 1101, "{reply}");
    session.beat();
    server.look().run(&["REPLICAOF", "NO", "ONE"]);
    log_in_at_last(&server, 1002, &token).beat();
    session.beat();
    server.wait_sessions(1);
}

/// One login after the other until it is over; answers with the sessions that were told that they are in.
fn log_in_many(server: &Server, uids: RangeFrom<u64>, is_over: &AtomicBool) -> Vec<Session> {
    let mut seated = Vec::new();
    for uid in uids.take_while(|_| !is_over.load(Ordering::Relaxed)) {
        let token = wait_until("a ticket is issued", || {
            let (status, ticket) = server.admin.post("/v1/tickets", &json!({ "uid": uid }));
            ticket["token"].as_str().filter(|_| status == 200).map(str::to_owned)
        });
        let mut client = server.connect();
        let reply = client.log_in(uid, &token);
        match reply["error"] == 0 {
            true => seated.push(Session { client, uid, token, reply }),
            false => assert_eq!(reply["error"], 1101, "{reply}"),
        }
    }
    seated
}

/// Cuts the server's connections to the store, again and again, as soon as it has others.
fn cut_often(server: &Server) {
    let mut look = server.look();
    for _ in 0..15 {
        wait_until("the connection stands again", || {
            server.admin.try_get("/readyz").filter(|(status, _)| *status == 200)
        });
        for _ in 0..10 {
            server.admin.try_get("/v1/users/1");
        }
        look.run(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
}

/// A cut connection loses replies of scripts that ran. Whoever was told that it is in stays in; nobody else is left.
#[test]
fn g12_lost_replies_leave_neither_ghosts_nor_holes() {
    let server = start();
    let is_over = AtomicBool::new(false);
    let mut seated: Vec<Session> = thread::scope(|scope| {
        let (server, is_over) = (&server, &is_over);
        let logins = [1000, 2000, 3000, 4000].map(|uid| scope.spawn(move || log_in_many(server, uid.., is_over)));
        cut_often(server);
        is_over.store(true, Ordering::Relaxed);
        logins.into_iter().flat_map(|login| login.join().expect("a login thread ends well")).collect()
    });
    assert!(seated.len() > 20, "hardly anybody got in: {}", seated.len());
    server.admin.wait_ready();
    server.wait_sessions(seated.len());
    for session in &mut seated {
        session.beat();
        assert_eq!(server.admin.seats(session.uid)[0]["sid"], session.sid());
    }
    drop(seated);
    server.wait_sessions(0);
}

/// A verify that runs all the time meets every login half-way; it must not take any for a stray.
fn a_restless_verify_harms_no_login(store: StoreKind) {
    let server = Setup::new(store).set("node.verify_ms", 2).set("node.beat_ms", 5).start();
    let mut random = Random::new(0x5eed_0006);
    let mut live: Vec<Option<Session>> = (0..8).map(|_| None).collect();
    for _ in 0..250 {
        let at = random.below(live.len());
        let uid = 1000 + at as u64;
        let had = live[at].take();
        live[at] = match (random.below(4), had) {
            (0, Some(old)) => Some(server.session_with(uid, old.token.clone())),
            (1, Some(_)) => None,
            _ => Some(server.session(uid)),
        };
        live.iter_mut().flatten().for_each(Session::beat);
    }
    server.wait_sessions(live.iter().flatten().count());
    let events: Vec<Value> = (1000..1008).flat_map(|uid| server.admin.events(uid)).map(Value::from).collect();
    assert!(!events.contains(&json!("verified")), "a verify mended what was not broken: {events:?}");
}
