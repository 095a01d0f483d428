//! The store goes away, hangs, or forgets: sessions stay, newcomers are told to come back, and all is put right later.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Client, RedisServer, Server, Session, Setup, StoreKind, wait_until};

/// How long a login may wait for a store that does not answer: the time-out below, its margin, and a slow machine.
const AT_ONCE: Duration = Duration::from_secs(5);

fn start() -> Server {
    Setup::new(StoreKind::Redis).set("redis.timeout_ms", 500).set("node.verify_ms", 1000).start()
}

fn redis(server: &mut Server) -> &mut RedisServer {
    server.redis.as_mut().expect("started with one")
}

/// While the store is away a login is answered, and says when to come back.
fn assert_told_to_come_back(server: &Server, uid: u64, token: &str) {
    let begun = Instant::now();
    let reply = server.connect().log_in(uid, token);
    assert_eq!(reply["error"], 1101, "{reply}");
    assert!(reply["retry_after_ms"].as_u64() > Some(0), "{reply}");
    assert!(begun.elapsed() < AT_ONCE, "the answer took {:?}", begun.elapsed());
}

#[test]
fn defect_38_logins_work_again_after_a_redis_restart() {
    let mut server = start();
    let mut sessions: Vec<Session> = (1001..1011).map(|uid| server.session(uid)).collect();
    let token = server.admin.token(2000);
    redis(&mut server).kill();
    for _ in 0..3 {
        assert_told_to_come_back(&server, 2000, &token);
        sessions.iter_mut().for_each(Session::beat);
    }
    redis(&mut server).start_again();
    // That store is empty: the node registers anew, the sessions put themselves back, the backend issues new tickets.
    let wanted = json!({ "uid": 2000, "token": "issued after the restart" });
    wait_until("tickets are issued again", || (server.admin.post("/v1/tickets", &wanted).0 == 200).then_some(()));
    server.admin.wait_ready();
    server.session_with(2000, "issued after the restart".to_owned()).beat();
    sessions.iter_mut().for_each(Session::beat);
}

#[test]
fn defect_39_an_outage_is_not_reported_as_a_wrong_uid() {
    let mut server = start();
    let token = server.admin.token(1001);
    let mut crowd: Vec<Client> = (0..50).map(|_| server.connect()).collect();
    redis(&mut server).kill();
    // The first ones meet a connection that is just breaking.
    for client in &mut crowd {
        client.send(1005, &json!({ "uid": 1001, "token": token }));
    }
    for client in &mut crowd {
        let reply = client.expect(1006);
        assert_eq!(reply["error"], 1101, "{reply}");
    }
    assert_told_to_come_back(&server, 1001, &token);
    assert_told_to_come_back(&server, 1002, "a token that nobody issued");
    let (status, problem) = server.admin.post("/v1/tickets", &json!({ "uid": 1001 }));
    assert_eq!(status, 503, "{problem}");
    let (status, text) = server.admin.try_get("/readyz").expect("the admin API answers");
    assert_eq!(status, 503, "{text}");
    assert_eq!(server.admin.get("/healthz"), json!({ "status": "ok" }));
}

#[test]
fn g7_live_sessions_put_a_store_right_that_forgot_everything() {
    let mut server = start();
    let mut sessions: Vec<Session> = (1001..1021).map(|uid| server.session(uid)).collect();
    let left = server.session(3000);
    redis(&mut server).start_again();
    drop(left);
    server.wait_sessions(sessions.len());
    for session in &mut sessions {
        let seats = server.admin.seats(session.uid);
        assert_eq!(seats.len(), 1, "{seats:?}");
        assert_eq!((&seats[0]["sid"], seats[0]["epoch"].as_u64()), (&session.reply["sid"], Some(session.epoch())));
        session.beat();
    }
    assert_eq!(server.admin.seats(3000), [json!(null); 0]);

    // The seats came back with their tickets: a device may resume, and a takeover tells the older one.
    let mut resumed = server.session_with(1001, sessions[0].token.clone());
    sessions[0].client.expect_goodbye("resumed");
    resumed.beat();
    let mut taker = server.session(1002);
    assert!(taker.epoch() > sessions[1].epoch());
    assert_eq!(sessions[1].client.expect(1021)["reason"], "displaced");
    taker.beat();
}

/// The old server held one lock while it waited for Redis: one slow login stopped the node.
#[test]
fn defect_34_a_hanging_store_stops_no_heartbeat() {
    let mut server = start();
    let mut session = server.session(1001);
    let token = server.admin.token(1002);
    redis(&mut server).pause();
    let mut waiting = server.connect();
    waiting.send(1005, &json!({ "uid": 1002, "token": token }));
    for _ in 0..20 {
        session.beat();
    }
    let reply = waiting.expect(1006);
    assert_eq!(reply["error"], 1101, "{reply}");
    session.beat();
    redis(&mut server).resume();
    drop(waiting);

    // The script of that login may have run after all; its session has to be gone, and its device gets in.
    server.admin.wait_ready();
    server.wait_sessions(1);
    let mut again = wait_until("the device logs in", || {
        let mut client = server.connect();
        let reply = client.log_in(1002, &token);
        (reply["error"] == 0).then_some(client)
    });
    again.beat(1002);
    session.beat();
    server.wait_sessions(2);
}

/// The old server skipped the clean-up when it could not get its lock, and never came back to it.
#[test]
fn defect_12_a_disconnect_during_an_outage_is_cleaned_up_later() {
    let mut server = start();
    let mut stays = server.session(1001);
    let leaves: Vec<Session> = (2000..2010).map(|uid| server.session(uid)).collect();
    server.wait_sessions(11);
    redis(&mut server).pause();
    drop(leaves);
    // Long enough for the first reports to be given up.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        assert_eq!(stays.client.next_within(Duration::from_millis(100)), None);
        stays.beat();
    }
    redis(&mut server).resume();
    server.wait_sessions(1);
    stays.beat();
    for uid in 2000..2010 {
        assert_eq!(server.admin.seats(uid), [json!(null); 0], "{uid}");
    }
}

/// A failover to a replica that lags: the store knows an older holder, and believes the older ticket.
#[test]
fn g7_a_store_that_fell_back_to_an_older_copy_gives_way_to_the_higher_rank() {
    let server = start();
    let old = server.session(1001);
    let keys = ["os:{0}:seat:1001", "os:{0}:ticket:1001", "os:{0}:roster"];
    for key in keys {
        assert_eq!(server.look().run(&["COPY", key, &format!("{key}:older")]), 1);
    }
    let mut new = server.session(1001);
    let mut bystander = server.session(1002);
    for key in keys {
        assert_eq!(server.look().run(&["COPY", &format!("{key}:older"), key, "REPLACE"]), 1);
    }
    wait_until("the live sessions have their seats again", || {
        let holds = |uid: u64, sid: &str| server.admin.seats(uid).first().is_some_and(|seat| seat["sid"] == sid);
        (holds(1001, new.sid()) && holds(1002, bystander.sid())).then_some(())
    });
    server.wait_sessions(2);
    new.beat();
    bystander.beat();
    let refused = server.connect().log_in(1001, &old.token);
    assert_eq!(refused["error"], 1010, "{refused}");
    server.session_with(1001, new.token.clone()).beat();
    new.client.expect_goodbye("resumed");
}

/// The lease of the node runs out meanwhile; nobody takes that for the death of its clients.
#[test]
fn a_store_that_hangs_longer_than_the_lease_costs_no_session() {
    let lease = Duration::from_millis(600);
    let server = Setup::new(StoreKind::Redis)
        .set("redis.timeout_ms", 300)
        .set("node.lease_ms", lease.as_millis())
        .set("node.verify_ms", 1000)
        .start();
    let mut sessions: Vec<Session> = (1001..1011).map(|uid| server.session(uid)).collect();
    let redis = server.redis.as_ref().expect("started with one");
    redis.pause();
    let begun = Instant::now();
    while begun.elapsed() < lease * 3 {
        assert_eq!(sessions[0].client.next_within(lease / 10), None);
        sessions.iter_mut().for_each(Session::beat);
    }
    redis.resume();
    server.admin.wait_ready();
    server.wait_sessions(sessions.len());
    for session in &mut sessions {
        session.beat();
        assert_eq!(server.admin.seats(session.uid)[0]["sid"], session.sid());
    }
    server.assert_serves(2000);
}
