//! A primary dies under load: clients are asked to try again, and afterwards everything is exact.

use std::sync::atomic::Ordering;

use crate::load::{Told, as_sessions, storm};
use crate::support::cluster::Cluster;
use crate::support::sentinel::Sentinels;
use crate::support::wait_until;
use crate::truth::Store;

/// Waits until that many more logins gave a seat.
fn wait_seated(told: &Told, more: usize) {
    let goal = told.seated.load(Ordering::Relaxed) + more;
    wait_until("logins succeed", || (told.seated.load(Ordering::Relaxed) >= goal).then_some(()));
}

#[test]
fn g4_g7_sentinels_replace_the_primary_under_load() {
    let mut store = Sentinels::start();
    let (one, two) = (store.node("t1"), store.node("t2"));
    let told = Told::default();
    let held = storm(7, [&one, &two], &told, || {
        wait_seated(&told, 50);
        let died = store.kill_primary();
        store.wait_failover(died);
        wait_seated(&told, 100);
        store.start_again(died);
        wait_seated(&told, 50);
    });
    store.wait_exact(&as_sessions(&held), &one);
    held.into_iter().for_each(|mut held| held.client.beat(held.uid));
    println!("{} seated, {} tries more", told.seated.into_inner(), told.again.into_inner());
}

/// One of a cluster's primaries dies, which `choose` names, is replaced, and comes back.
fn a_primary_dies(seed: u64, choose: impl FnOnce(&Cluster) -> usize) {
    let mut store = Cluster::start();
    let (one, two) = (store.node("t1"), store.node("t2"));
    let told = Told::default();
    let held = storm(seed, [&one, &two], &told, || {
        wait_seated(&told, 50);
        let died = choose(&store);
        store.member_mut(died).kill();
        store.wait_failover(died);
        wait_seated(&told, 100);
        store.start_again(died);
        wait_seated(&told, 50);
    });
    store.wait_exact(&as_sessions(&held), &one);
    store.wait_exact(&as_sessions(&held), &two);
    held.into_iter().for_each(|mut held| held.client.beat(held.uid));
    println!("{} seated, {} tries more", told.seated.into_inner(), told.again.into_inner());
}

#[test]
fn g4_g7_a_cluster_replaces_a_primary_under_load() {
    // Not the one with the directory, which is the next test's.
    a_primary_dies(11, |store| {
        let directory = store.primary_of("os:{dir}:nodes");
        (0..3).find(|index| *index != directory).expect("there are three")
    });
}

#[test]
fn g4_g7_a_cluster_replaces_the_primary_of_the_directory_under_load() {
    a_primary_dies(13, |store| store.primary_of("os:{dir}:nodes"));
}

#[test]
fn a_planned_change_of_the_primary_costs_nobody_the_seat() {
    let store = Sentinels::start();
    let (one, two) = (store.node("t1"), store.node("t2"));
    let told = Told::default();
    let held = storm(17, [&one, &two], &told, || {
        wait_seated(&told, 50);
        store.fail_over();
        wait_seated(&told, 50);
    });
    store.wait_exact(&as_sessions(&held), &one);
}

#[test]
fn g4_g7_a_primary_that_hangs_is_replaced_and_comes_back_as_a_replica() {
    let store = Cluster::start();
    let (one, two) = (store.node("t1"), store.node("t2"));
    let told = Told::default();
    let held = storm(23, [&one, &two], &told, || {
        wait_seated(&told, 50);
        let hung = store.primary_of("os:{1}:roster");
        store.member(hung).pause();
        store.wait_failover(hung);
        wait_seated(&told, 50);
        store.member(hung).resume();
        wait_seated(&told, 50);
        store.wait_whole();
    });
    store.wait_exact(&as_sessions(&held), &one);
}
