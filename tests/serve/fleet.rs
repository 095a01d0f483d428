//! Several nodes on one store: the dead are reaped by others, newcomers are spread, nodes are emptied, names are unique.

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{RedisServer, Seen, Server, Session, Setup, wait_until};

/// A node with short times, so that a test need not wait for long ones.
fn node(redis: &RedisServer, name: &str) -> Setup {
    Setup::at(&redis.url())
        .set("node.name", name)
        .set("node.beat_ms", 100)
        .set("node.lease_ms", 1000)
        .set("node.verify_ms", 1000)
        .set("redis.timeout_ms", 500)
}

fn nodes<const N: usize>(redis: &RedisServer) -> [Server; N] {
    std::array::from_fn(|index| node(redis, &format!("t{}", index + 1)).start())
}

/// Entries of the roster that are of a node.
fn entries_of(redis: &RedisServer, node: &str) -> usize {
    let entries = redis.look().texts(&["ZRANGE", "os:{0}:roster", "0", "-1"]);
    entries.iter().filter(|entry| entry.starts_with(&format!("{node}#"))).count()
}

/// The old servers left the users of a node that died on line for ever, unless that very node came back.
#[test]
fn g5_the_sessions_of_a_node_that_never_comes_back_are_reaped_by_another() {
    let redis = RedisServer::start();
    let [mut one, two] = nodes(&redis);
    let lost: Vec<Session> = (1001..1031).map(|uid| one.session(uid)).collect();
    let mut kept: Vec<Session> = (2001..2006).map(|uid| two.session(uid)).collect();
    one.kill();
    wait_until("nothing is left of the dead node", || (entries_of(&redis, "t1") == 0).then_some(()));
    for session in &lost {
        assert_eq!(two.admin.seats(session.uid), Vec::<Value>::new());
        assert_eq!(two.admin.events(session.uid), ["reaped", "taken"]);
    }
    assert_eq!(entries_of(&redis, "t2"), kept.len());
    kept.iter_mut().for_each(Session::beat);
    assert_eq!(two.metric("oneseat_reaped_total"), 30);
    // The device comes back with the ticket that it has.
    let resumed = two.session_with(1001, lost[0].token.clone());
    assert_eq!(resumed.reply["resumed"], true, "{}", resumed.reply);
}

#[test]
fn nobody_is_seen_on_a_node_whose_lease_is_out_though_it_is_not_reaped_yet() {
    let redis = RedisServer::start();
    let mut one = node(&redis, "t1").start();
    let two = node(&redis, "t2").set("node.verify_ms", 3_600_000).start();
    let _lost = one.session(1001);
    one.kill();
    wait_until("its lease is out", || (two.admin.node("t1")?["live"] == false).then_some(()));
    assert_eq!(two.admin.seats(1001), Vec::<Value>::new());
    assert_eq!(two.admin.node("t1").expect("it is listed")["count"], 0);
}

#[test]
fn a_node_that_was_paused_beyond_its_lease_keeps_whom_nobody_took() {
    let redis = RedisServer::start();
    let [one, two] = nodes(&redis);
    let mut stayed: Vec<Session> = (1001..1011).map(|uid| one.session(uid)).collect();
    let mut taken = one.session(2000);
    one.signal(Signal::STOP);
    wait_until("it was taken for dead", || (entries_of(&redis, "t1") == 0).then_some(()));
    let mut taker = two.session(2000);
    one.signal(Signal::CONT);
    assert_eq!(taken.client.expect(1021)["reason"], "displaced");
    taken.client.expect_end();
    wait_until("all others are seated again", || (entries_of(&redis, "t1") == stayed.len()).then_some(()));
    stayed.iter_mut().for_each(Session::beat);
    taker.beat();
    one.admin.wait_ready();
    one.assert_serves(3000);
    assert!(one.metric(r#"oneseat_registrations_total{cause="anew"}"#) >= 1);
}

#[test]
fn after_an_outage_of_all_nobody_reaps_anybody() {
    let redis = RedisServer::start();
    let [one, two] = nodes(&redis);
    let mut sessions: Vec<Session> = (1001..1011).map(|uid| one.session(uid)).collect();
    sessions.extend((2001..2011).map(|uid| two.session(uid)));
    redis.pause();
    // Longer than the lease, by the clock that both nodes go by.
    wait_until("the leases are out", || (!one.has_lease() && !two.has_lease()).then_some(()));
    redis.resume();
    for server in [&one, &two] {
        wait_until("the node beats again", || server.has_lease().then_some(()));
        server.admin.wait_ready();
    }
    sessions.iter_mut().for_each(Session::beat);
    assert_eq!(one.metric("oneseat_reaped_total") + two.metric("oneseat_reaped_total"), 0);
    assert_eq!((entries_of(&redis, "t1"), entries_of(&redis, "t2")), (10, 10));
}

#[test]
fn a_fenced_node_closes_its_sessions_when_its_lease_is_out() {
    let redis = RedisServer::start();
    let [one, two] = [("t1", "fence"), ("t2", "hold")]
        .map(|(name, partition)| node(&redis, name).set("node.partition", partition).start());
    let (mut fenced, mut held) = (one.session(1001), two.session(1002));
    redis.pause();
    let goodbye = fenced.client.expect_goodbye("fenced");
    assert_eq!(goodbye["error"], 1101, "{goodbye}");
    held.beat();
    redis.resume();
    let reply = wait_until("the client is served again, as told", || {
        Some(one.connect().log_in(1001, &fenced.token)).filter(|reply| reply["error"] != 1101)
    });
    assert_eq!((&reply["error"], &reply["resumed"]), (&json!(0), &json!(true)), "{reply}");
    held.beat();
}

/// The old assignment looked at counts that were a minute old: a burst went to one server.
#[test]
fn defect_27_a_burst_between_two_beats_is_spread_evenly() {
    let redis = RedisServer::start();
    let servers: [Server; 4] = std::array::from_fn(|index| {
        // No beat comes in between: only the reservations count.
        node(&redis, &format!("t{}", index + 1)).set("node.beat_ms", 60_000).set("node.lease_ms", 600_000).start()
    });
    let mut shares: BTreeMap<u64, usize> = BTreeMap::new();
    for batch in 0..10 {
        let wanted: Vec<Value> = (0..900).map(|n| json!({ "uid": 1 + batch * 1000 + n })).collect();
        let tickets = servers[batch % 4].admin.ticket(&json!(wanted));
        for ticket in tickets.as_array().expect("an array for an array") {
            *shares.entry(ticket["port"].as_u64().expect("a port")).or_default() += 1;
        }
        // Also one by one.
        for n in 900..1000 {
            let ticket = servers[n % 4].admin.ticket(&json!({ "uid": 1 + batch * 1000 + n }));
            *shares.entry(ticket["port"].as_u64().expect("a port")).or_default() += 1;
        }
    }
    let (least, most) = (shares.values().min().copied(), shares.values().max().copied());
    assert_eq!(shares.len(), 4, "{shares:?}");
    let (least, most) = least.zip(most).expect("there are shares");
    assert!((most - least) * 100 < 5 * 2500, "{shares:?}");
}

#[test]
fn a_zone_and_a_weight_decide_where_newcomers_go() {
    let redis = RedisServer::start();
    let east = node(&redis, "t1").set("node.zone", "east").set("node.weight", 300).start();
    let also = node(&redis, "t2").set("node.zone", "east").set("node.weight", 100).start();
    let west = node(&redis, "t3").set("node.zone", "west").start();
    let go = |zone: &str| {
        let wanted: Vec<Value> = (1..401).map(|uid| json!({ "uid": uid, "zone": zone })).collect();
        let tickets = west.admin.ticket(&json!(wanted));
        let ports = tickets.as_array().expect("an array").iter().map(|ticket| ticket["port"].as_u64().expect("a port"));
        ports.fold(BTreeMap::<u64, usize>::new(), |mut shares, port| {
            *shares.entry(port).or_default() += 1;
            shares
        })
    };
    let shares = go("east");
    let [east, also, west] = [&east, &also, &west].map(|server| u64::from(server.address().port()));
    assert_eq!(shares, BTreeMap::from([(east, 300), (also, 100)]));
    assert_eq!(go("west"), BTreeMap::from([(west, 400)]));
}

/// The old assignment named the first server when none was alive.
#[test]
fn defect_30_without_a_node_that_takes_newcomers_there_is_a_clear_error() {
    let redis = RedisServer::start();
    let server = node(&redis, "t1").set("node.capacity", 3).set("ticket.reserve_ms", 1500).start();
    let wanted: Vec<Value> = (1001..1006).map(|uid| json!({ "uid": uid })).collect();
    let tickets = server.admin.ticket(&json!(wanted));
    let (placed, refused): (Vec<_>, Vec<_>) =
        tickets.as_array().expect("an array").iter().partition(|ticket| ticket["token"].is_string());
    assert_eq!((placed.len(), refused.len()), (3, 2), "{tickets}");
    let (status, problem) = server.admin.post("/v1/tickets", &json!({ "uid": 1009 }));
    assert_eq!(status, 503, "{problem}");
    assert!(problem["retry_after_ms"].as_u64() >= Some(1), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("no node takes newcomers")), "{problem}");
    // Nobody came, so the places are free again when their time is over.
    wait_until("places are free again", || {
        (server.admin.post("/v1/tickets", &json!({ "uid": 1009 })).0 == 200).then_some(())
    });
}

#[test]
fn a_node_that_is_asked_to_stop_first_sends_its_sessions_to_others() {
    let redis = RedisServer::start();
    let mut one = node(&redis, "t1").set("node.drain_ms", 1000).start();
    let two = node(&redis, "t2").start();
    let mut sessions: Vec<Session> = (1001..1041).map(|uid| one.session(uid)).collect();
    one.signal(Signal::TERM);
    let mut waits = Vec::new();
    for session in &mut sessions {
        let goodbye = match session.client.next() {
            Seen::Frame(1101, goodbye) => goodbye,
            other => panic!("a goodbye was expected, not {other:?}"),
        };
        assert_eq!((&goodbye["reason"], &goodbye["error"]), (&json!("drained"), &json!(1101)), "{goodbye}");
        assert_eq!(goodbye["node"], two.address().to_string(), "{goodbye}");
        waits.push(goodbye["retry_after_ms"].as_u64().expect("a time"));
        let resumed = two.session_with(session.uid, session.token.clone());
        assert_eq!(resumed.reply["resumed"], true, "{}", resumed.reply);
    }
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 10, "they do not all come back together: {waits:?}");
    assert_eq!(one.wait_exit().0, Some(0));
    assert_eq!(entries_of(&redis, "t1"), 0);
    assert_eq!(two.admin.node("t1").expect("it is still listed")["state"], "left");
}
