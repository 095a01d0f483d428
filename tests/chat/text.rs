//! Texts: who gets them, where, in which order, and what the sender is told.

use serde_json::json;

use crate::support::wait_until;
use crate::talker::{Talker, contents};
use crate::town::{Town, everywhere, text};

everywhere!(
    a_text_reaches_a_friend_and_the_sender_learns_that_it_was_accepted,
    texts_keep_their_order,
    a_text_that_is_sent_again_is_accepted_once,
    g10_texts_for_somebody_off_line_come_at_the_next_login_in_order_and_once,
    an_old_client_gets_what_it_missed_once,
    each_text_has_its_own_result,
    a_text_names_nobody_else_as_its_sender
);

fn a_text_reaches_a_friend_and_the_sender_learns_that_it_was_accepted(town: &Town) {
    let (mut ann, mut bob) = town.pair();
    let reply = ann.say(1002, &[text("hello \"Bob\" \\ Üñí 你好 \u{1}", 1)]);
    assert_eq!(
        (&reply["error"], &reply["fromuid"], &reply["touid"]),
        (&json!(0), &json!(1001), &json!(1002)),
        "{reply}"
    );
    assert_eq!(reply["results"][0]["result"], "accepted", "{reply}");
    assert_eq!(contents(&reply["text_array"]).len(), 1, "the request is echoed: {reply}");
    let notice = bob.until(1019);
    assert_eq!(
        (&notice["error"], &notice["fromuid"], &notice["touid"]),
        (&json!(0), &json!(1001), &json!(1002)),
        "{notice}"
    );
    assert_eq!(notice["text_array"], json!([text("hello \"Bob\" \\ Üñí 你好 \u{1}", 1)]), "{notice}");
    assert!(notice["id"].is_u64() && notice["timestamp"].is_u64(), "{notice}");
    // The other way round, too.
    assert_eq!(bob.say(1001, &[text("hello Ann", 2)])["error"], 0);
    assert_eq!(ann.texts(1), ["hello Ann"]);
}

fn texts_keep_their_order(town: &Town) {
    let (mut ann, mut bob) = town.pair();
    for number in 0..30 {
        let texts = [text(&format!("{number}a"), number * 2), text(&format!("{number}b"), number * 2 + 1)];
        ann.send(1017, &json!({ "fromuid": 1001, "touid": 1002, "text_array": texts }));
    }
    let expected: Vec<_> = (0..30).flat_map(|number| [format!("{number}a"), format!("{number}b")]).collect();
    assert_eq!(bob.texts(60), expected);
    for _ in 0..30 {
        assert_eq!(ann.until(1018)["error"], 0);
    }
}

fn a_text_that_is_sent_again_is_accepted_once(town: &Town) {
    let (mut ann, mut bob) = town.pair();
    assert_eq!(ann.say(1002, &[text("once", 1)])["results"][0]["result"], "accepted");
    let again = ann.say(1002, &[text("once", 1), text("twice", 2)]);
    assert_eq!(again["error"], 0, "{again}");
    assert_eq!(
        (&again["results"][0]["result"], &again["results"][1]["result"]),
        (&json!("duplicate"), &json!("accepted"))
    );
    assert_eq!(bob.texts(2), ["once", "twice"]);
}

fn g10_texts_for_somebody_off_line_come_at_the_next_login_in_order_and_once(town: &Town) {
    let (mut ann, bob) = town.pair();
    bob.leave();
    town.wait_away(1002);
    for number in 1..=20 {
        assert_eq!(ann.say(1002, &[text(&number.to_string(), number)])["results"][0]["result"], "accepted");
    }
    let expected: Vec<_> = (1..=20).map(|number| number.to_string()).collect();
    // A client that acknowledges nothing gets them again.
    let bob = Talker::new(town.there(), 1002, &["ack", "test"]);
    assert_eq!(bob.unread(), expected);
    let first = &bob.reply["unread_messages"][0];
    assert_eq!((&first["from_id"], &first["to_id"]), (&json!(1001), &json!(1002)), "{first}");
    assert!(first["id"].is_u64() && first["timestamp"].is_u64() && first["msgid"].is_string(), "{first}");
    bob.leave();
    let mut bob = town.other(1002);
    assert!(bob.unread().is_empty(), "they were acknowledged: {}", bob.reply);
    assert_eq!(ann.say(1002, &[text("now", 21)])["error"], 0);
    assert_eq!(bob.texts(1), ["now"]);
}

/// An old client says nothing of what it got: what was written to its socket counts as delivered.
fn an_old_client_gets_what_it_missed_once(town: &Town) {
    let (mut ann, bob) = town.pair();
    bob.leave();
    town.wait_away(1002);
    assert_eq!(ann.say(1002, &[text("missed", 1)])["error"], 0);
    let mut bob = Talker::old(town.there(), 1002);
    assert_eq!(bob.unread(), ["missed"]);
    assert_eq!(ann.say(1002, &[text("live", 2)])["error"], 0);
    assert_eq!(bob.texts(1), ["live"]);
    wait_until("what was written has left the inbox", || {
        (town.look().run(&["LLEN", "os:{0}:inbox:1002"]) == json!(0)).then_some(())
    });
    bob.leave();
    assert!(Talker::old(town.there(), 1002).unread().is_empty());
}

fn each_text_has_its_own_result(town: &Town) {
    let (mut ann, mut bob) = town.pair();
    let reply = ann.say(1002, &[text("short", 1), text(&"x".repeat(5_000), 2), text("short", 1), text("last", 3)]);
    let results: Vec<_> = (0..4).map(|index| reply["results"][index]["result"].clone()).collect();
    assert_eq!(results, ["accepted", "too_large", "duplicate", "accepted"], "{reply}");
    assert_eq!(reply["error"], 1105, "the first that was not accepted: {reply}");
    assert_eq!(bob.texts(2), ["short", "last"]);
    assert_eq!(ann.say(7777, &[text("to nobody", 4)])["error"], 1102, "who is no friend");
    assert_eq!(ann.say(1001, &[text("to myself", 5)])["reason"], "self");
    for wrong in
        [json!("x"), json!([1]), json!([{ "content": 1, "msgid": "a" }]), json!([{ "content": "a" }]), json!(null)]
    {
        let reply = ann.ask(1017, 1018, &json!({ "fromuid": 1001, "touid": 1002, "text_array": wrong }));
        assert_eq!(reply["error"], 1001, "{wrong}: {reply}");
    }
    // The old client sends the last frame of a batch even where it is empty.
    assert_eq!(ann.say(1002, &[])["error"], 0);
}

/// The old server believed whatever name stood in the body.
fn a_text_names_nobody_else_as_its_sender(town: &Town) {
    let (mut ann, mut bob) = town.pair();
    let reply = ann.ask(1017, 1018, &json!({ "fromuid": 1002, "touid": 1001, "text_array": [text("x", 1)] }));
    assert_eq!(reply["error"], 1104, "{reply}");
    let mut stranger = town.here().connect();
    stranger.send(1017, &json!({ "fromuid": 1001, "touid": 1002, "text_array": [text("x", 2)] }));
    assert_eq!(stranger.expect(1018)["error"], 1103);
    assert_eq!(ann.say(1002, &[text("y", 3)])["error"], 0);
    assert_eq!(bob.texts(1), ["y"], "and nothing before it");
}
