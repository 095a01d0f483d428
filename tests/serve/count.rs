//! G4: the count of a node is the number of its sessions, after whatever happened to them.

use crate::support::{Random, Session, Setup, StoreKind, on_both_stores, wait_until};

on_both_stores!(
    g4_defect_31_counts_do_not_drift_over_storms,
    defect_28_connections_without_login_count_for_nothing,
    defect_36_bare_connections_cost_others_nothing,
    defect_17_a_session_that_left_is_nowhere,
    a_half_closed_client_is_gone,
);

/// Logins, takeovers, resumes, leaves, crashes and kicks in a random order; the count has to be right at the end of
/// each round, and nothing may be left when all are gone.
fn g4_defect_31_counts_do_not_drift_over_storms(store: StoreKind) {
    let seed = 0x5eed_0002;
    let mut random = Random::new(seed);
    let server = Setup::new(store).start();
    let mut live: Vec<Option<Session>> = (0..12).map(|_| None).collect();
    for round in 0..5 {
        for _ in 0..30 {
            let at = random.below(live.len());
            let uid = 1000 + at as u64;
            let had = live[at].take();
            live[at] = match (random.below(5), had) {
                (0, Some(old)) => Some(server.session_with(uid, old.token.clone())),
                (1, Some(_)) => {
                    server.admin.kick(uid, "");
                    None
                }
                (2, Some(_)) => None,
                (3, Some(mut crashed)) => {
                    crashed.client.send_bytes(&[0xff, 0xff, 0xff]);
                    crashed.client.reset();
                    None
                }
                _ => Some(server.session(uid)),
            };
        }
        let count = live.iter().flatten().count();
        wait_until(&format!("seed {seed:#x} round {round}: {count} in the roster"), || {
            (server.roster().len() == count).then_some(())
        });
        server.wait_sessions(count);
        wait_until("the gauge says the same", || (server.metric("oneseat_sessions") == count as u64).then_some(()));
        live.iter_mut().flatten().for_each(Session::beat);
    }
    live.clear();
    server.wait_sessions(0);
    for gauge in ["oneseat_sessions", "oneseat_connections"] {
        wait_until(&format!("{gauge} falls to zero"), || (server.metric(gauge) == 0).then_some(()));
    }
}

/// The old server told the assignment its connections: a port scan moved everybody elsewhere.
fn defect_28_connections_without_login_count_for_nothing(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut bare: Vec<_> = (0..50).map(|_| server.connect()).collect();
    bare.iter_mut().for_each(|client| client.beat(1001));
    let session = server.session(1001);
    server.wait_sessions(1);
    assert_eq!(server.admin.node("t1").expect("the node is listed")["count"], 1);
    drop(session);
    server.wait_sessions(0);
}

/// The old server had all bare connections wait for one lock when they ended.
fn defect_36_bare_connections_cost_others_nothing(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut session = server.session(1001);
    let open_files = server.open_files();
    for round in 0..20 {
        let bare: Vec<_> = (0..10).map(|_| server.connect()).collect();
        server.assert_serves(2000 + round);
        drop(bare);
        session.beat();
    }
    server.wait_sessions(1);
    // One more may be the admin API's own, kept alive by this test's client.
    wait_until("what they had open is closed", || (server.open_files() <= open_files + 1).then_some(()));
}

/// An early version of the old server removed a session when it was *not* found.
fn defect_17_a_session_that_left_is_nowhere(store: StoreKind) {
    let server = Setup::new(store).start();
    for _ in 0..10 {
        drop(server.session(1001));
        wait_until("the seat is free", || server.admin.seats(1001).is_empty().then_some(()));
    }
    server.wait_sessions(0);
    server.assert_serves(1001);
}

fn a_half_closed_client_is_gone(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut session = server.session(1001);
    session.client.finish_sending();
    server.wait_sessions(0);
    session.client.rest();
}
