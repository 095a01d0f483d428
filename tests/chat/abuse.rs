//! Limits: each is told by a clear error, and none costs the store a call.

use serde_json::json;

use crate::town::{Place, Town, text};

/// Calls of the script that takes texts, as the node counts them.
fn calls(town: &Town) -> u64 {
    town.here().metric(r#"oneseat_script_calls_total{script="text",version="1",outcome="ok"}"#)
}

#[test]
fn a_session_that_sends_too_fast_is_told_so_without_a_call_of_the_store() {
    let route = r#"{ script = "text", reply = 1018, sender = "fromuid", per_second = 1, burst = 3 }"#;
    let town = Town::with(Place::OneNode, |setup| setup.set("routes.1017", route));
    let (mut ann, _bob) = town.pair();
    let replies: Vec<_> = (0..100).map(|number| ann.say(1002, &[text("x", number)])).collect();
    let accepted = replies.iter().filter(|reply| reply["error"] == 0).count();
    let refused: Vec<_> = replies.iter().filter(|reply| reply["error"] == 1106 && reply["reason"] == "rate").collect();
    assert_eq!(accepted + refused.len(), 100);
    assert!(accepted < 50, "{accepted} were accepted");
    assert_eq!(calls(&town), u64::try_from(accepted).expect("a small number"), "a refused one asks nobody");
}

/// Each login brings all lists again, so a session may not ask for it as often as it likes.
#[test]
fn a_session_that_logs_in_again_and_again_is_told_to_stop() {
    let town = Town::new(Place::Embedded);
    let mut ann = town.actor(1001);
    let login = json!({ "uid": 1001, "token": ann.token });
    let replies: Vec<_> = (0..30).map(|_| ann.ask(1005, 1006, &login)).collect();
    let refused = replies.iter().filter(|reply| reply["error"] == 1106 && reply["reason"] == "rate").count();
    assert!(replies[0]["error"] == 0 && refused >= 15, "{refused} of 30 were refused");
    ann.settle();
}

#[test]
fn applications_have_a_limit_per_day() {
    let town = Town::with(Place::Embedded, |setup| setup.set("friends.applies_per_day", 3));
    let mut ann = town.actor(1001);
    let _others: Vec<_> = (2000..2005).map(|uid| town.other(uid)).collect();
    let apply = |to: u64| json!({ "uid": 1001, "touid": to, "applyname": "Ann" });
    for uid in 2000..2003 {
        assert_eq!(ann.ask(1009, 1010, &apply(uid))["error"], 0);
    }
    let reply = ann.ask(1009, 1010, &apply(2003));
    assert_eq!((&reply["error"], &reply["reason"]), (&json!(1106), &json!("applications")), "{reply}");
}

#[test]
fn strangers_may_write_where_that_is_allowed() {
    let town = Town::with(Place::Embedded, |setup| setup.set("text.senders", "anyone"));
    let (mut ann, mut bob) = (town.actor(1001), town.other(1002));
    assert_eq!(ann.say(1002, &[text("hello stranger", 1)])["error"], 0);
    assert_eq!(bob.texts(1), ["hello stranger"]);
    assert_eq!(ann.say(7777, &[text("is anybody there", 2)])["error"], 1011);
    assert_eq!(bob.ask(1108, 1109, &json!({ "fromuid": 1002, "touid": 1001 }))["error"], 0);
    assert_eq!(ann.say(1002, &[text("again", 3)])["reason"], "blocked");
}

#[test]
fn a_route_that_is_switched_off_is_not_served() {
    let town = Town::with(Place::Embedded, |setup| setup.set("routes.1009", r#"{ script = "", reply = 1010 }"#));
    let mut ann = town.actor(1001);
    let reply = ann.ask(1009, 1010, &json!({ "uid": 1001, "touid": 1002 }));
    assert_eq!((&reply["error"], &reply["reason"]), (&json!(1107), &json!("not_served")), "{reply}");
}
