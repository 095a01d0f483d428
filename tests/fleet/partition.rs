//! The way between a node and the store breaks: wholly, in one direction, or for one kind of connection.

use std::time::Duration;

use crate::checker::{Bounds, check};
use crate::crowd::Habit;
use crate::history::{Life, What};
use crate::proxy::{Proxy, Scope, Way};
use crate::stand::{Fleet, KICK, VERIFY, healthy, long, node, seed};
use crate::support::{RedisServer, Setup, wait_until};

const LOAD: Habit = Habit {
    users: 60,
    devices: 2,
    beat: Duration::from_millis(50),
    pause: Duration::from_millis(800),
    stay: Duration::from_millis(3_000),
    falls_silent: false,
};

/// Three nodes, each behind a proxy of its own.
fn fleet(redis: &RedisServer, more: impl Fn(Setup) -> Setup) -> (Fleet, Vec<Proxy>) {
    let proxies: Vec<Proxy> = (0..3).map(|_| Proxy::start(redis.socket())).collect();
    let setup = |(position, proxy): (usize, &Proxy)| more(node(&proxy.url(), position, VERIFY));
    let setups = proxies.iter().enumerate().map(setup).collect();
    (Fleet::start(vec![redis.socket()], setups), proxies)
}

/// Waits until a node says that it does not hear.
fn wait_unready(fleet: &Fleet, node: usize) {
    let status = || fleet.node(node).admin.try_get("/readyz").filter(|(status, _)| *status == 503);
    wait_until("the node says that it does not hear", status);
}

/// Kicks do not arrive, and nothing says so but the silence of the node's message to itself. The next verify finds what
/// was missed, so the bound is its interval and what a kick takes; no part of it is excused.
#[test]
fn kicks_that_a_dead_channel_swallows_are_found_by_the_next_verify() {
    let (seed, redis) = (seed(), RedisServer::start());
    let (fleet, proxies) = fleet(&redis, |setup| setup);
    let crowd = fleet.crowd(LOAD, seed);
    for turn in 0..long(2) {
        crowd.wait_sessions(50);
        proxies[turn % 3].black_hole(Scope::PubSub, Way::FromStore);
        crowd.wait_sessions(150);
        wait_unready(&fleet, turn % 3);
        // What was swallowed arrives now, late: each of it names a session, and can hit no newer one.
        proxies[turn % 3].restore();
        fleet.wait_ready();
    }
    crowd.wait_sessions(100);
    fleet.settle(crowd, Bounds { overlap: VERIFY + KICK, ..healthy() });
}

/// The other direction: the node hears, and what it says on that connection is lost.
#[test]
fn a_channel_that_cannot_subscribe_anew_is_survived() {
    let (seed, redis) = (seed(), RedisServer::start());
    let (fleet, proxies) = fleet(&redis, |setup| setup);
    let crowd = fleet.crowd(LOAD, seed);
    crowd.wait_sessions(50);
    proxies[0].black_hole(Scope::PubSub, Way::ToStore);
    redis.look().run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    crowd.wait_sessions(150);
    wait_unready(&fleet, 0);
    proxies[0].restore();
    fleet.wait_ready();
    crowd.wait_sessions(50);
    fleet.settle(crowd, Bounds { overlap: VERIFY + KICK, ..healthy() });
}

#[test]
fn a_node_that_is_cut_off_holds_its_sessions_and_gives_way_when_it_is_back() {
    let (seed, redis) = (seed(), RedisServer::start());
    let (fleet, proxies) = fleet(&redis, |setup| setup.set("node.partition", "hold"));
    let crowd = fleet.crowd(LOAD, seed);
    for turn in 0..long(2) {
        let node = turn % 3;
        crowd.wait_sessions(60);
        let deafness = fleet.record.break_off(Some(node), What::Deafness);
        proxies[node].cut();
        fleet.wait_lease_out(node);
        let lease_out = fleet.record.now();
        let is_served = |life: &&Life| life.node == node && life.served_until().is_some_and(|until| until > lease_out);
        wait_until("a session is served past the lease", || {
            fleet.record.with(|history| history.lives.iter().find(is_served).map(|_| ()))
        });
        crowd.wait_sessions(60);
        proxies[node].restore();
        fleet.record.mend(deafness);
        fleet.wait_ready();
        crowd.wait_sessions(60);
    }
    fleet.settle(crowd, healthy());
}

/// A fenced node closes its sessions once its lease is out by its own clock, whatever it can reach: from then on nothing
/// is served there that others may have taken.
#[test]
fn a_node_that_is_cut_off_and_fences_serves_nobody_past_its_lease() {
    let (seed, redis) = (seed(), RedisServer::start());
    let (fleet, proxies) = fleet(&redis, |setup| setup.set("node.partition", "fence"));
    let crowd = fleet.crowd(LOAD, seed);
    for turn in 0..long(2) {
        let node = turn % 3;
        crowd.wait_sessions(60);
        fleet.record.break_off(Some(node), What::Goodbye("fenced"));
        let deafness = fleet.record.break_off(Some(node), What::Deafness);
        proxies[node].cut();
        // The store's lease is out no earlier than the node's own.
        fleet.wait_lease_out(node);
        fleet.record.mend(deafness);
        let is_here = |life: &&Life| life.node == node && life.is_live();
        wait_until("every session there is fenced", || {
            fleet.record.with(|history| history.lives.iter().find(is_here).is_none().then_some(()))
        });
        crowd.wait_sessions(60);
        proxies[node].restore();
        fleet.wait_ready();
        crowd.wait_sessions(60);
    }
    let report = fleet.settle(crowd, Bounds { mend: KICK, ..healthy() });
    assert!(!report.told.is_empty(), "nobody was displaced");
}

/// Scripts run, and their answers are lost: nobody may sit there whose client was told to try again.
#[test]
fn answers_that_never_arrive_leave_no_ghost() {
    let (seed, redis) = (seed(), RedisServer::start());
    let (fleet, proxies) = fleet(&redis, |setup| setup.set("redis.timeout_ms", 700));
    let crowd = fleet.crowd(LOAD, seed);
    for turn in 0..long(2) {
        let node = turn % 3;
        crowd.wait_sessions(60);
        let deafness = fleet.record.break_off(Some(node), What::Deafness);
        proxies[node].black_hole(Scope::Calls, Way::FromStore);
        let is_lost =
            |life: &&Life| life.node == node && life.answer.as_ref().is_some_and(|answer| answer.error == 1101);
        wait_until("a login had no answer", || {
            fleet.record.with(|history| history.lives.iter().find(is_lost).map(|_| ()))
        });
        fleet.wait_lease_out(node);
        proxies[node].restore();
        fleet.record.mend(deafness);
        fleet.wait_ready();
        crowd.wait_sessions(60);
    }
    fleet.settle(crowd, healthy());
}

/// The checker has to see what a dead channel does where nobody tells it that one was dead.
#[test]
fn the_checker_finds_a_fleet_whose_kicks_do_not_arrive() {
    let (seed, redis) = (seed(), RedisServer::start());
    let (fleet, proxies) = fleet(&redis, |setup| setup.set("node.verify_ms", 600_000));
    let crowd = fleet.crowd(LOAD, seed);
    proxies.iter().for_each(|proxy| proxy.black_hole(Scope::PubSub, Way::FromStore));
    crowd.wait_sessions(150);
    let bounds = Bounds { overlap: Duration::from_millis(150), mend: Duration::from_millis(150), ..healthy() };
    let report = check(&fleet.record.read(), bounds);
    let found = report.violations.iter().filter(|text| text.contains("two sessions were served")).count();
    assert!(found > 0, "nothing was found: {:?}", report.violations);
    crowd.go_home();
}
