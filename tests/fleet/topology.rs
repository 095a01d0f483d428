//! Stores of several processes: a primary dies under sentinels or in a cluster, and slots move, all under load.

use std::path::PathBuf;
use std::time::Duration;

use crate::crowd::Habit;
use crate::history::What;
use crate::outage::forgetful;
use crate::stand::{Fleet, VERIFY, healthy, long, node, seed};
use crate::support::cluster::Cluster;
use crate::support::sentinel::Sentinels;
use crate::support::wait_until;

const LOAD: Habit = Habit {
    users: 80,
    devices: 2,
    beat: Duration::from_millis(100),
    pause: Duration::from_millis(800),
    stay: Duration::from_millis(2_500),
    falls_silent: false,
};

fn fleet(url: &str, stores: Vec<PathBuf>) -> Fleet {
    // Each beat asks every shard for its count, and the processes of a cluster share two cores with all else here.
    let shards = if url.starts_with("redis-cluster") { 16 } else { 0 };
    let setups = (0..3).map(|position| node(url, position, VERIFY).set("redis.shards", shards)).collect();
    Fleet::start(stores, setups)
}

fn primaries(cluster: &Cluster) -> Vec<PathBuf> {
    cluster.primaries().into_iter().map(|index| cluster.member(index).socket()).collect()
}

#[test]
fn a_primary_that_dies_under_sentinels_loses_no_session_for_good() {
    let (seed, mut store) = (seed(), Sentinels::start());
    let mut fleet = fleet(&store.url(), vec![store.store(store.primary()).socket()]);
    let crowd = fleet.crowd(LOAD, seed);
    for _ in 0..long(1) {
        crowd.wait_sessions(150);
        let outage = fleet.record.break_off(None, What::Deafness);
        let died = store.kill_primary();
        store.wait_failover(died);
        fleet.record.mend(outage);
        fleet.look_at(vec![store.store(1 - died).socket()]);
        fleet.wait_ready();
        crowd.wait_sessions(100);
        store.start_again(died);
    }
    fleet.settle(crowd, forgetful());
}

#[test]
fn a_primary_of_a_cluster_that_dies_loses_no_session_for_good() {
    let (seed, mut store) = (seed(), Cluster::start());
    let mut fleet = fleet(&store.url(), primaries(&store));
    let crowd = fleet.crowd(LOAD, seed);
    for turn in 0..long(1) {
        crowd.wait_sessions(150);
        let outage = fleet.record.break_off(None, What::Deafness);
        let dying = store.primaries()[turn % 3];
        store.member_mut(dying).kill();
        store.wait_failover(dying);
        fleet.record.mend(outage);
        fleet.look_at(primaries(&store));
        fleet.wait_ready();
        crowd.wait_sessions(100);
        store.start_again(dying);
    }
    fleet.settle(crowd, forgetful());
}

/// It answers what was asked of it before it learns that it is no primary any more.
#[test]
fn a_primary_that_stood_still_under_sentinels_takes_nobody_with_it() {
    let (seed, store) = (seed(), Sentinels::start());
    let mut fleet = fleet(&store.url(), vec![store.store(store.primary()).socket()]);
    let crowd = fleet.crowd(LOAD, seed);
    for _ in 0..long(1) {
        crowd.wait_sessions(150);
        let outage = fleet.record.break_off(None, What::Deafness);
        let paused = store.primary();
        store.store(paused).pause();
        store.wait_failover(paused);
        fleet.look_at(vec![store.store(1 - paused).socket()]);
        crowd.wait_sessions(30);
        store.store(paused).resume();
        wait_until("the former primary follows", || {
            (store.store(paused).info("replication", "role")? == "slave").then_some(())
        });
        fleet.record.mend(outage);
        fleet.wait_ready();
        crowd.wait_sessions(100);
    }
    fleet.settle(crowd, forgetful());
}

#[test]
fn a_primary_of_a_cluster_that_stood_still_takes_nobody_with_it() {
    let (seed, store) = (seed(), Cluster::start());
    let mut fleet = fleet(&store.url(), primaries(&store));
    let crowd = fleet.crowd(LOAD, seed);
    for turn in 0..long(1) {
        crowd.wait_sessions(150);
        let outage = fleet.record.break_off(None, What::Deafness);
        let paused = store.primaries()[turn % 3];
        store.member(paused).pause();
        store.wait_failover(paused);
        crowd.wait_sessions(30);
        store.member(paused).resume();
        store.wait_whole();
        fleet.record.mend(outage);
        fleet.look_at(primaries(&store));
        fleet.wait_ready();
        crowd.wait_sessions(100);
    }
    fleet.settle(crowd, forgetful());
}

#[test]
fn slots_that_move_under_load_cost_nobody_a_seat() {
    let (seed, store) = (seed(), Cluster::start());
    let fleet = fleet(&store.url(), primaries(&store));
    let crowd = fleet.crowd(LOAD, seed);
    crowd.wait_sessions(100);
    for _ in 0..long(1) {
        for shard in 0..4 {
            // Its own users are told to try again meanwhile, all others log in.
            migrate(&store, &format!("os:{{{shard}}}:roster"), || crowd.wait_sessions(3));
        }
        // Nobody is seated past a lease that cannot be renewed, so this one moves without a pause.
        migrate(&store, "os:{dir}:nodes", || {});
        crowd.wait_sessions(30);
    }
    crowd.wait_sessions(100);
    fleet.settle(crowd, healthy());
}

/// Moves the slot of a key to another primary.
fn migrate(store: &Cluster, key: &str, between: impl FnMut()) {
    let from = store.primary_of(key);
    let to = store.primaries().into_iter().find(|index| *index != from).expect("there are three");
    store.migrate(store.slot_of(key), to, between);
}
