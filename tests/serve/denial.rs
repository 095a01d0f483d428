//! `seat.policy = "deny"`: whoever sits stays.

use serde_json::json;

use crate::support::{Setup, StoreKind, on_both_stores, wait_until};

on_both_stores!(under_deny_the_holder_stays_and_the_newcomer_is_refused);

fn under_deny_the_holder_stays_and_the_newcomer_is_refused(store: StoreKind) {
    let server = Setup::new(store).set("seat.policy", "deny").start();
    let mut holder = server.session(1001);
    let token = server.admin.token(1001);
    let mut newcomer = server.connect();
    let refused = newcomer.log_in(1001, &token);
    assert_eq!((&refused["error"], &refused["reason"]), (&json!(1102), &json!("held")), "{refused}");
    holder.beat();

    // The holder's own device may come back; that is no takeover.
    let mut resumed = server.session_with(1001, holder.token.clone());
    holder.client.expect_goodbye("resumed");
    resumed.beat();

    // Once the seat is free the refused ticket opens it.
    drop(resumed);
    wait_until("the seat is free", || server.admin.seats(1001).is_empty().then_some(()));
    assert_eq!(newcomer.log_in(1001, &token)["error"], 0);
}
