//! Who gets the seat, who is told, and what a late message of the one who lost it may do: nothing.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Server, Session, Setup, StoreKind, clock_ms, frame, on_both_stores, wait_until};

on_both_stores!(
    g2_displaced_session_is_told_once_then_gone,
    a_resume_says_goodbye_and_not_logged_in_elsewhere,
    classes_of_one_user_do_not_displace_each_other,
    defect_06_a_silent_displaced_client_is_closed_by_the_server,
    defect_07_a_repeated_kick_does_not_reach_the_newer_session,
    g3_defect_11_a_late_disconnect_does_not_touch_the_new_holder,
    an_operator_ends_the_session_and_says_why,
    an_operator_may_end_one_class_alone,
    seats_and_trail_tell_who_sat_where,
);

const GRACE: Duration = Duration::from_millis(400);

fn start(store: StoreKind) -> Server {
    Setup::new(store).set("kick.grace_ms", GRACE.as_millis()).start()
}

fn g2_displaced_session_is_told_once_then_gone(store: StoreKind) {
    let server = start(store);
    let mut old = server.session(1001);
    let (begun, began_ms) = (Instant::now(), clock_ms());
    let mut new = server.session(1001);

    let notice = old.client.expect(1021);
    assert_eq!(notice["error"], 0, "{notice}");
    assert_eq!(notice["uid"], 1001, "{notice}");
    assert_eq!(notice["reason"], "displaced", "{notice}");
    assert_eq!(notice["epoch"], new.epoch(), "{notice}");
    assert_eq!(notice["by"]["class"], "main", "{notice}");
    let by = notice["by"]["address"].as_str().expect("the taker's address is told");
    assert!(by.starts_with(&new.client.local().ip().to_string()), "{notice}");
    let at = notice["at"].as_u64().expect("the time is told");
    assert!((began_ms..=clock_ms()).contains(&at), "{notice}");

    // Nothing more is served, although the connection stands until the grace time is over.
    let _ = old.client.try_send(&frame(1023, b"{}"));
    old.client.expect_end();
    assert!(begun.elapsed() >= GRACE, "closed after {:?}", begun.elapsed());

    assert!(new.epoch() > old.epoch(), "{} {}", old.epoch(), new.epoch());
    assert_ne!(new.sid(), old.sid());
    new.beat();
    server.wait_sessions(1);
}

fn a_resume_says_goodbye_and_not_logged_in_elsewhere(store: StoreKind) {
    let server = start(store);
    let mut old = server.session(1001);
    let mut new = server.session_with(1001, old.token.clone());
    assert_eq!(old.reply["resumed"], false, "{}", old.reply);
    assert_eq!(new.reply["resumed"], true, "{}", new.reply);
    assert!(new.epoch() > old.epoch());

    let goodbye = old.client.expect_goodbye("resumed");
    assert_eq!(goodbye["error"], 0, "{goodbye}");
    new.beat();
    assert_eq!(server.admin.events(1001), ["resumed", "taken"]);
    server.wait_sessions(1);
}

fn classes_of_one_user_do_not_displace_each_other(store: StoreKind) {
    let server = start(store);
    let mut sessions = [server.session_of(1001, "phone"), server.session_of(1001, "desk")];
    for session in &mut sessions {
        session.beat();
    }
    assert_eq!(server.admin.seats(1001).len(), 2);
    server.wait_sessions(2);

    let mut newer = server.session_of(1001, "phone");
    let notice = sessions[0].client.expect(1021);
    assert_eq!(notice["by"]["class"], "phone", "{notice}");
    sessions[1].beat();
    newer.beat();
    assert_eq!(newer.reply["class"], "phone", "{}", newer.reply);
}

/// The old server waited for the displaced client to speak or to leave; one that did neither stayed for ever.
fn defect_06_a_silent_displaced_client_is_closed_by_the_server(store: StoreKind) {
    let server = start(store);
    let mut old = server.session(1001);
    let _new = server.session(1001);
    old.client.expect(1021);
    old.client.expect_end();
}

/// A kick names a session, so one that comes late or twice finds nobody.
fn defect_07_a_repeated_kick_does_not_reach_the_newer_session(store: StoreKind) {
    let server = start(store);
    let old = server.session(1001);
    let mut new = server.session(1001);
    let body = json!({ "error": 0, "uid": 1001, "reason": "displaced" }).to_string();
    let kick = json!([["kick", old.sid(), "displaced", 1021, body]]).to_string();
    for _ in 0..3 {
        assert_eq!(server.look().run(&["PUBLISH", "os:node:t1", &kick]), 1, "the node listens");
    }
    // A kick that does name the session shows that those before it have been carried out.
    let mut witness = server.session(1002);
    let kick = json!([["kick", witness.sid(), "displaced", 1021, body]]).to_string();
    server.look().run(&["PUBLISH", "os:node:t1", &kick]);
    witness.client.expect(1021);
    new.beat();
}

/// The old server compared and deleted in separate steps and so deleted the keys of the newer session.
fn g3_defect_11_a_late_disconnect_does_not_touch_the_new_holder(store: StoreKind) {
    let server = start(store);
    for round in 0..20 {
        let old = server.session(1001);
        let mut new = server.session(1001);
        drop(old);
        new.beat();
        let seats = server.admin.seats(1001);
        assert_eq!(seats.len(), 1, "round {round}: {seats:?}");
        assert_eq!(seats[0]["sid"], new.sid(), "round {round}");
        assert_eq!(server.roster().len(), 1, "round {round}");
    }
}

fn an_operator_ends_the_session_and_says_why(store: StoreKind) {
    let server = start(store);
    let mut session = server.session(1001);
    let (status, answer) = server.admin.kick(1001, "?note=payment%20overdue");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["kicked"][0]["sid"], session.sid(), "{answer}");

    let notice = session.client.expect(1021);
    assert_eq!(notice["reason"], "kicked", "{notice}");
    assert_eq!(notice["note"], "payment overdue", "{notice}");
    assert_eq!(notice["uid"], 1001, "{notice}");
    session.client.expect_end();
    assert_eq!(server.admin.seats(1001), [json!(null); 0]);
    server.wait_sessions(0);

    // Nobody is there any more: a second kick says so and does no harm.
    let (status, answer) = server.admin.kick(1001, "");
    assert_eq!((status, &answer["kicked"]), (200, &json!([])), "{answer}");
    server.assert_serves(1001);
}

fn an_operator_may_end_one_class_alone(store: StoreKind) {
    let server = start(store);
    let (mut phone, mut desk) = (server.session_of(1001, "phone"), server.session_of(1001, "desk"));
    server.admin.kick(1001, "?class=phone");
    assert_eq!(phone.client.expect(1021)["reason"], "kicked");
    phone.client.expect_end();
    desk.beat();
    server.wait_sessions(1);
    assert_eq!(server.connect().log_in(1001, &phone.token)["error"], 1010);
    server.session_with(1001, desk.token.clone()).beat();
}

fn seats_and_trail_tell_who_sat_where(store: StoreKind) {
    let server = start(store);
    let _old: Session = server.session(1001);
    let new = server.session(1001);
    let seats = server.admin.seats(1001);
    assert_eq!(seats[0]["sid"], new.sid(), "{seats:?}");
    assert_eq!(seats[0]["epoch"], new.epoch(), "{seats:?}");
    assert_eq!((&seats[0]["node"], &seats[0]["class"]), (&json!("t1"), &json!("main")), "{seats:?}");
    assert_eq!(server.admin.events(1001), ["taken", "displaced", "taken"]);

    drop(new);
    wait_until("the seat is free", || server.admin.seats(1001).is_empty().then_some(()));
    assert_eq!(server.admin.events(1001)[0], "left");
}
