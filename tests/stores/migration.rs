//! Slots move to another primary while their users log in.

use std::sync::atomic::Ordering;

use crate::load::{Told, as_sessions, storm};
use crate::support::cluster::Cluster;
use crate::support::wait_until;
use crate::truth::Store;

/// Shards of these tests: few, so that each of them has users.
const SHARDS: u16 = 4;

#[test]
fn g4_g12_slots_move_under_load() {
    let store = Cluster::start();
    let node = |name| store.setup(name).set("redis.shards", SHARDS).set("redis.timeout_ms", 1000).start();
    let (one, two) = (node("t1"), node("t2"));
    let told = Told::default();
    let mut moved = 0;
    let held = storm(19, [&one, &two], &told, || {
        for shard in 0..SHARDS {
            let goal = told.seated.load(Ordering::Relaxed) + 10;
            wait_until("logins succeed", || (told.seated.load(Ordering::Relaxed) >= goal).then_some(()));
            moved += move_away(&store, &format!("os:{{{shard}}}:roster"), &told);
        }
        moved += move_away(&store, "os:{dir}:nodes", &told);
    });
    assert!(moved > 50, "{moved} keys were moved");
    store.wait_exact(&as_sessions(&held), &one);
    held.into_iter().for_each(|mut held| held.client.beat(held.uid));
    println!("{} seated, {} tries more", told.seated.into_inner(), told.again.into_inner());
}

/// Moves the slot of a key to another primary, in steps between which others have their turn.
fn move_away(store: &Cluster, key: &str, told: &Told) -> usize {
    let from = store.primary_of(key);
    let to = store.primaries().into_iter().find(|index| *index != from).expect("there are three");
    store.migrate(store.slot_of(key), to, || {
        let seen = told.answered();
        wait_until("somebody is answered meanwhile", || (told.answered() > seen).then_some(()));
    })
}
