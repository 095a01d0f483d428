//! Scripts and their store: forgotten scripts, failing scripts, and answers that got lost.

use std::sync::Barrier;
use std::thread;

use serde_json::json;

use crate::support::{Setup, StoreKind, on_both_stores};

on_both_stores!(
    g12_forgotten_scripts_cost_no_login,
    g12_the_same_login_again_answers_the_same,
    a_script_error_costs_one_reply_and_says_where,
);

const LOGINS: usize = 8;

/// A store may lose its scripts at any moment: a restart, a failover, an operator.
fn g12_forgotten_scripts_cost_no_login(store: StoreKind) {
    let server = Setup::new(store).start();
    for round in 0..10_u64 {
        let tokens: Vec<(u64, String)> = (0..LOGINS as u64)
            .map(|at| (2000 + 100 * round + at, server.admin.token(2000 + 100 * round + at)))
            .collect();
        let barrier = Barrier::new(LOGINS + 1);
        let (server, barrier) = (&server, &barrier);
        thread::scope(|scope| {
            for (uid, token) in tokens {
                scope.spawn(move || {
                    let mut client = server.connect();
                    barrier.wait();
                    let reply = client.log_in(uid, &token);
                    assert_eq!(reply["error"], 0, "round {round}: {reply}");
                    client.beat(uid);
                });
            }
            let mut look = server.look();
            barrier.wait();
            look.run(&["SCRIPT", "FLUSH"]);
        });
    }
    server.wait_sessions(0);
}

/// A client that did not get its answer asks again on the same connection: same sid, same epoch, nobody is kicked
/// twice.
fn g12_the_same_login_again_answers_the_same(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut old = server.session(1001);
    let mut new = server.session(1001);
    let token = new.token.clone();
    for _ in 0..3 {
        let again = new.client.log_in(1001, &token);
        assert_eq!(again, new.reply);
    }
    old.client.expect(1021);
    old.client.expect_end();
    assert_eq!(server.admin.events(1001), ["taken", "displaced", "taken"]);
    server.wait_sessions(1);
}

fn a_script_error_costs_one_reply_and_says_where(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut bystander = server.session(1001);
    let token = server.admin.token(1002);
    server.look().run(&["DEL", "os:{0}:seat:1002"]);
    server.look().run(&["SET", "os:{0}:seat:1002", "not a hash"]);

    let mut client = server.connect();
    let reply = client.log_in(1002, &token);
    assert_eq!(reply["error"], 1100, "{reply}");
    bystander.beat();
    server.assert_serves(1003);
    let log = server.log();
    assert!(log.contains("lua/") && log.contains(".lua:"), "the log does not say where in which script");

    server.look().run(&["DEL", "os:{0}:seat:1002"]);
    assert_eq!(server.connect().log_in(1002, &token)["error"], json!(0));
}
