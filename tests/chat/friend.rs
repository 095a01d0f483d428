//! Friends: applications, their approval, what both sides are told, and how a friendship ends.

use serde_json::json;

use crate::support::{clock_ms, wait_until};
use crate::town::{Town, everywhere};

everywhere!(
    an_application_and_its_approval_reach_both_who_are_on_line,
    an_application_to_somebody_off_line_stands_in_the_next_login,
    an_approval_reaches_an_applicant_who_is_off_line_by_the_next_login,
    defect_15_nobody_becomes_a_friend_without_an_application,
    what_cannot_be_applied_for_has_a_defined_error,
    crossing_applications_make_one_friendship,
    an_application_that_is_declined_is_gone,
    a_friendship_ends_on_both_sides,
    a_blocked_user_gets_through_with_nothing,
    a_half_that_a_crash_left_is_finished_by_the_next_login
);

fn an_application_and_its_approval_reach_both_who_are_on_line(town: &Town) {
    town.profile(1001, "Ann");
    town.profile(1002, "Bob");
    let (mut ann, mut bob) = (town.actor(1001), town.other(1002));
    let apply = json!({ "uid": 1001, "touid": 1002, "applyname": "Ann from school", "bakname": "Bobby" });
    assert_eq!(ann.ask(1009, 1010, &apply)["error"], 0);
    let notice = bob.until(1011);
    assert_eq!(
        (&notice["error"], &notice["applyuid"], &notice["name"], &notice["nick"]),
        (&json!(0), &json!(1001), &json!("Ann from school"), &json!("Anny")),
        "{notice}"
    );
    let reply = bob.ask(1013, 1014, &json!({ "fromuid": 1002, "touid": 1001, "back": "Annie" }));
    assert_eq!(
        (&reply["error"], &reply["uid"], &reply["name"], &reply["icon"], &reply["sex"]),
        (&json!(0), &json!(1001), &json!("Ann"), &json!(":/1.png"), &json!(1)),
        "the applicant's profile: {reply}"
    );
    let notice = ann.until(1015);
    assert_eq!(
        (&notice["error"], &notice["fromuid"], &notice["touid"], &notice["name"]),
        (&json!(0), &json!(1002), &json!(1001), &json!("Bob")),
        "the approver's profile: {notice}"
    );
    ann.leave();
    bob.leave();
    let (ann, bob) = (town.actor(1001), town.other(1002));
    assert_eq!(
        (&ann.reply["friend_list"][0]["uid"], &ann.reply["friend_list"][0]["back"]),
        (&json!(1002), &json!("Bobby"))
    );
    assert_eq!(
        (&bob.reply["friend_list"][0]["uid"], &bob.reply["friend_list"][0]["back"]),
        (&json!(1001), &json!("Annie"))
    );
    assert!(bob.reply["apply_list"].is_null(), "{}", bob.reply);
}

fn an_application_to_somebody_off_line_stands_in_the_next_login(town: &Town) {
    town.profile(1002, "Bob");
    let mut ann = town.actor(1001);
    assert_eq!(ann.ask(1009, 1010, &json!({ "uid": 1001, "touid": 1002, "applyname": "Ann" }))["error"], 0);
    let bob = town.other(1002);
    assert_eq!(bob.list("apply_list"), [1001]);
    assert_eq!(
        (&bob.reply["apply_list"][0]["name"], &bob.reply["apply_list"][0]["status"]),
        (&json!("Ann"), &json!(0))
    );
    bob.leave();
    assert_eq!(town.other(1002).list("apply_list"), [1001], "until it is answered");
}

fn an_approval_reaches_an_applicant_who_is_off_line_by_the_next_login(town: &Town) {
    let (mut ann, mut bob) = (town.actor(1001), town.other(1002));
    assert_eq!(ann.ask(1009, 1010, &json!({ "uid": 1001, "touid": 1002, "applyname": "Ann" }))["error"], 0);
    ann.leave();
    town.wait_away(1001);
    assert_eq!(bob.ask(1013, 1014, &json!({ "fromuid": 1002, "touid": 1001 }))["error"], 0);
    let mut ann = town.actor(1001);
    assert_eq!(ann.list("friend_list"), [1002]);
    assert_eq!(
        (&ann.reply["notifications"][0]["uid"], &ann.reply["notifications"][0]["type"]),
        (&json!(1002), &json!(1001))
    );
    ann.settle();
    ann.leave();
    assert!(town.actor(1001).reply["notifications"].is_null(), "it was told once");
}

/// The old server made friends of any two, without asking either.
fn defect_15_nobody_becomes_a_friend_without_an_application(town: &Town) {
    let (mut ann, mut bob) = (town.actor(1001), town.other(1002));
    let reply = ann.ask(1013, 1014, &json!({ "fromuid": 1001, "touid": 1002 }));
    assert_eq!((&reply["error"], &reply["reason"]), (&json!(1102), &json!("no_application")), "{reply}");
    // Only the addressee may approve, not the one who applied.
    assert_eq!(ann.ask(1009, 1010, &json!({ "uid": 1001, "touid": 1002, "applyname": "Ann" }))["error"], 0);
    assert_eq!(ann.ask(1013, 1014, &json!({ "fromuid": 1001, "touid": 1002 }))["error"], 1102);
    assert_eq!(ann.ask(1013, 1014, &json!({ "fromuid": 1002, "touid": 1001 }))["error"], 1104, "in his name");
    bob.until(1011);
    assert_eq!(town.look().run(&["EXISTS", "os:{0}:friends:1001", "os:{0}:friends:1002"]), json!(0));
}

fn what_cannot_be_applied_for_has_a_defined_error(town: &Town) {
    let (mut ann, mut bob) = (town.actor(1001), town.other(1002));
    let apply = |to: u64| json!({ "uid": 1001, "touid": to, "applyname": "Ann" });
    let refusal = |reply: serde_json::Value| (reply["error"].as_u64(), reply["reason"].as_str().map(str::to_owned));
    let expected = |error, reason: &str| (Some(error), Some(reason.to_owned()));
    assert_eq!(refusal(ann.ask(1009, 1010, &apply(1001))), expected(1102, "self"));
    assert_eq!(ann.ask(1009, 1010, &apply(7777))["error"], 1011);
    assert_eq!(ann.ask(1009, 1010, &json!({ "uid": 1001, "touid": "x", "applyname": "Ann" }))["error"], 1001);
    assert_eq!(ann.ask(1009, 1010, &apply(1002))["error"], 0);
    // In the same millisecond it would be the same application, sent again.
    let now = clock_ms();
    wait_until("the clock ticks", || (clock_ms() > now + 1).then_some(()));
    assert_eq!(refusal(ann.ask(1009, 1010, &apply(1002))), expected(1102, "repeated"));
    bob.until(1011);
    let crossing = bob.ask(1009, 1010, &json!({ "uid": 1002, "touid": 1001, "applyname": "Bob" }));
    assert_eq!(refusal(crossing), expected(1102, "crossing"));
    assert_eq!(bob.ask(1013, 1014, &json!({ "fromuid": 1002, "touid": 1001 }))["error"], 0);
    assert_eq!(refusal(ann.ask(1009, 1010, &apply(1002))), expected(1102, "already_friends"));
}

/// Both applied at the same moment, and both approve.
fn crossing_applications_make_one_friendship(town: &Town) {
    let (mut ann, mut bob) = (town.actor(1001), town.other(1002));
    ann.send(1009, &json!({ "uid": 1001, "touid": 1002, "applyname": "Ann" }));
    bob.send(1009, &json!({ "uid": 1002, "touid": 1001, "applyname": "Bob" }));
    ann.until(1010);
    bob.until(1010);
    ann.send(1013, &json!({ "fromuid": 1001, "touid": 1002 }));
    bob.send(1013, &json!({ "fromuid": 1002, "touid": 1001 }));
    ann.until(1014);
    bob.until(1014);
    ann.leave();
    bob.leave();
    wait_until("the halves are settled", || {
        let (ann, bob) = (town.actor(1001), town.other(1002));
        (ann.list("friend_list") == [1002] && bob.list("friend_list") == [1001]).then_some(())
    });
    let (ann, bob) = (town.actor(1001), town.other(1002));
    assert_eq!(ann.reply["friend_list"][0]["since"], bob.reply["friend_list"][0]["since"]);
    assert!(ann.reply["apply_list"].is_null() && bob.reply["apply_list"].is_null());
}

fn an_application_that_is_declined_is_gone(town: &Town) {
    let (mut ann, mut bob) = (town.actor(1001), town.other(1002));
    assert_eq!(ann.ask(1009, 1010, &json!({ "uid": 1001, "touid": 1002, "applyname": "Ann" }))["error"], 0);
    let reply = bob.ask(1013, 1014, &json!({ "fromuid": 1002, "touid": 1001, "accept": false }));
    assert_eq!((&reply["error"], &reply["accepted"]), (&json!(0), &json!(false)), "{reply}");
    assert_eq!(bob.ask(1013, 1014, &json!({ "fromuid": 1002, "touid": 1001 }))["reason"], "no_application");
    bob.leave();
    let bob = town.other(1002);
    assert!(bob.reply["apply_list"].is_null() && bob.reply["friend_list"].is_null(), "{}", bob.reply);
}

fn a_friendship_ends_on_both_sides(town: &Town) {
    let (mut ann, mut bob) = town.pair();
    assert_eq!(ann.ask(1106, 1107, &json!({ "fromuid": 1001, "touid": 1002 }))["error"], 0);
    let notice = wait_until("he is told", || {
        let notice = bob.until(1025);
        (notice["type"] == 1002).then_some(notice)
    });
    assert_eq!(notice["uid"], 1001, "{notice}");
    assert_eq!(ann.ask(1106, 1107, &json!({ "fromuid": 1001, "touid": 1002 }))["reason"], "no_friend");
    assert_eq!(bob.say(1001, &[crate::town::text("are you there?", 1)])["reason"], "no_friend");
    ann.leave();
    bob.leave();
    assert!(town.actor(1001).reply["friend_list"].is_null());
    assert!(town.other(1002).reply["friend_list"].is_null());
}

fn a_blocked_user_gets_through_with_nothing(town: &Town) {
    let (mut ann, mut bob) = town.pair();
    assert_eq!(bob.ask(1108, 1109, &json!({ "fromuid": 1002, "touid": 1001 }))["error"], 0);
    ann.until(1025);
    assert_eq!(ann.say(1002, &[crate::town::text("hello?", 1)])["error"], 1102);
    assert_eq!(ann.ask(1009, 1010, &json!({ "uid": 1001, "touid": 1002, "applyname": "Ann" }))["reason"], "blocked");
    assert_eq!(bob.ask(1108, 1109, &json!({ "fromuid": 1002, "touid": 1001, "blocked": false }))["error"], 0);
    assert_eq!(ann.ask(1009, 1010, &json!({ "uid": 1001, "touid": 1002, "applyname": "Ann" }))["error"], 0);
}

/// The process that carried an approval died between its two halves: the approver's next login finishes it.
fn a_half_that_a_crash_left_is_finished_by_the_next_login(town: &Town) {
    let half = r#"~{"uid":1001,"name":"Ann","since":1700000000000,"theirs":"Bobby"}"#;
    let _known = (town.actor(1001), town.other(1002).leave());
    town.look().run(&["HSET", "os:{0}:friends:1002", "1001", half]);
    let bob = town.other(1002);
    assert!(bob.reply["friend_list"].is_null(), "a half is not shown: {}", bob.reply);
    wait_until("both sides agree", || {
        let friends = |uid: &str, other: &str| town.look().run(&["HGET", &format!("os:{{0}}:friends:{uid}"), other]);
        let is_whole = |value: &serde_json::Value| value.as_str().is_some_and(|text| text.starts_with('{'));
        (is_whole(&friends("1001", "1002")) && is_whole(&friends("1002", "1001"))).then_some(())
    });
}
