//! Scripts and their store: forgotten scripts, failing scripts, and answers that got lost.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{PATIENCE, Setup, StoreKind, on_both_stores};

on_both_stores!(
    g12_forgotten_scripts_cost_no_login,
    scripts_that_are_forgotten_all_the_time_mean_try_again,
    g12_the_same_login_again_answers_the_same,
    a_script_error_costs_one_reply_and_says_where,
);

const LOGINS: usize = 8;

/// A store may lose its scripts at any moment: a restart, a failover, an operator.
fn g12_forgotten_scripts_cost_no_login(store: StoreKind) {
    let server = Setup::new(store).start();
    for round in 0..10_u64 {
        // This login brings back what the flush before has taken, so that none can meet two of them.
        server.assert_serves(1001);
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

/// Flushed without a pause, a script may be gone again between its loading and its call. It did not run, so the client
/// is asked to try again; it is no fault of anybody's script.
fn scripts_that_are_forgotten_all_the_time_mean_try_again(store: StoreKind) {
    let server = Setup::new(store).set("gateway.login_attempts_max", 10_000).start();
    let token = server.admin.token(1001);
    let (begun, is_over) = (Instant::now(), AtomicBool::new(false));
    let replies: Vec<Value> = thread::scope(|scope| {
        let (server, is_over) = (&server, &is_over);
        scope.spawn(move || {
            let mut look = server.look();
            while !is_over.load(Ordering::Relaxed) && begun.elapsed() < PATIENCE {
                look.run(&["SCRIPT", "FLUSH"]);
            }
        });
        // One session may not log in again that often.
        let replies = (0..100).map(|_| server.connect().log_in(1001, &token)).collect();
        is_over.store(true, Ordering::Relaxed);
        replies
    });
    for reply in replies {
        assert!([0, 1101].map(Value::from).contains(&reply["error"]), "{reply}");
    }
    server.session_with(1001, token.clone()).beat();
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
