//! The topologies by themselves: a test that stands on one must be able to trust it.

use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::sentinel::Sentinels;
use crate::support::wait_until;

#[test]
fn sentinels_replace_a_primary_that_died_and_take_it_back() {
    let mut sentinels = Sentinels::start();
    assert_eq!(sentinels.primary(), 0);
    sentinels.store(0).look().run(&["SET", "key", "kept"]);
    wait_until("the replica has it", || {
        (sentinels.store(1).look().try_run(&["GET", "key"]).ok()? == "kept").then_some(())
    });
    let died = sentinels.kill_primary();
    sentinels.wait_failover(died);
    assert_eq!(sentinels.primary(), 1);
    assert_eq!(sentinels.store(1).look().run(&["GET", "key"]), "kept");
    sentinels.start_again(died);
    assert_eq!(sentinels.store(0).look().run(&["GET", "key"]), "kept");
    sentinels.fail_over();
    assert_eq!(sentinels.primary(), 0);
}

#[test]
fn a_cluster_replaces_a_primary_that_died_and_takes_it_back() {
    let mut cluster = Cluster::start();
    assert_eq!(cluster.primaries(), [0, 1, 2]);
    let holder = cluster.primary_of("{7}:key");
    // Only the connection that wrote knows what it has to wait for.
    let mut look = cluster.member(holder).look();
    look.run(&["SET", "{7}:key", "kept"]);
    assert_eq!(look.run(&["WAIT", "1", "20000"]), 1);
    cluster.member_mut(holder).kill();
    let heir = cluster.wait_failover(holder);
    assert_eq!(cluster.primary_of("{7}:key"), heir);
    assert_eq!(cluster.member(heir).look().run(&["GET", "{7}:key"]), "kept");
    cluster.start_again(holder);
    assert_eq!(cluster.member(holder).info("replication", "role").as_deref(), Some("slave"));
    assert_eq!(cluster.fail_over(heir), holder);
}

#[test]
fn a_slot_moves_to_another_primary_key_by_key() {
    let cluster = Cluster::start();
    let from = cluster.primary_of("{7}:key");
    for number in 0..50 {
        cluster.member(from).look().run(&["SET", &format!("{{7}}:{number}"), "kept"]);
    }
    let to = cluster.primaries().into_iter().find(|index| *index != from).expect("there are three");
    let mut steps = 0;
    assert_eq!(cluster.migrate(cluster.slot_of("{7}:key"), to, || steps += 1), 50);
    assert!(steps > 1, "{steps} steps");
    assert_eq!(cluster.primary_of("{7}:key"), to);
    assert_eq!(cluster.member(to).look().run(&["GET", "{7}:49"]), json!("kept"));
}
