//! The inbox: bounded, kept until it is acknowledged, and sent on where it is longer than a frame.

use serde_json::json;

use crate::support::wait_until;
use crate::talker::Talker;
use crate::town::{Place, Town, everywhere, text};

everywhere!(what_is_not_acknowledged_comes_again, an_inbox_longer_than_a_frame_follows_the_login);

fn what_is_not_acknowledged_comes_again(town: &Town) {
    let (mut ann, mut bob) = town.pair();
    bob.stop_acknowledging();
    assert_eq!(ann.say(1002, &[text("one", 1)])["error"], 0);
    assert_eq!(bob.texts(1), ["one"]);
    bob.leave();
    let mut bob = Talker::new(town.there(), 1002, &["ack"]);
    assert_eq!(bob.unread(), ["one"]);
    // The login acknowledged the first; the second is acknowledged twice, and beyond what was sent.
    bob.stop_acknowledging();
    assert_eq!(ann.say(1002, &[text("two", 2)])["error"], 0);
    let frame = bob.until(1019);
    bob.settle();
    for id in [frame["id"].clone(), frame["id"].clone(), json!(9_007_199_254_740_991_u64)] {
        assert_eq!(bob.ask(1102, 1103, &json!({ "id": id }))["error"], 0);
    }
    assert_eq!(bob.ask(1102, 1103, &json!({ "id": "x" }))["error"], 1001);
    assert_eq!(ann.say(1002, &[text("three", 3)])["error"], 0);
    assert_eq!(bob.texts(1), ["three"]);
    bob.leave();
    assert_eq!(Talker::new(town.there(), 1002, &["ack"]).unread(), ["three"]);
}

fn an_inbox_longer_than_a_frame_follows_the_login(town: &Town) {
    let (mut ann, bob) = town.pair();
    bob.leave();
    town.wait_away(1002);
    let content = |number: u64| format!("{number} {}", "x".repeat(1_000));
    for number in 0..60 {
        assert_eq!(ann.say(1002, &[text(&content(number), number)])["error"], 0);
    }
    let expected: Vec<_> = (0..60).map(content).collect();
    for features in [&["ack"][..], &[]] {
        let mut bob = match features {
            ["ack"] => {
                let mut bob = Talker::new(town.there(), 1002, &["ack"]);
                bob.stop_acknowledging();
                bob
            }
            _ => Talker::old(town.there(), 1002),
        };
        let mut found = bob.unread();
        assert!(!found.is_empty() && found.len() < 60, "the first part is in the answer: {}", found.len());
        if features.is_empty() {
            let rest = 60 - found.len();
            found.extend(bob.texts(rest));
            assert_eq!(found, expected);
        }
        bob.leave();
        if features == ["ack"] {
            // Its login was acknowledged, so the others come with the next.
            let kept = town.look().run(&["LLEN", "os:{0}:inbox:1002"]);
            assert_eq!(kept, json!(60 - found.len()));
            return check_rest(town, &expected[found.len()..]);
        }
    }
}

fn check_rest(town: &Town, expected: &[String]) {
    let mut bob = Talker::old(town.there(), 1002);
    let mut found = bob.unread();
    let rest = expected.len() - found.len();
    found.extend(bob.texts(rest));
    assert_eq!(found, expected);
    wait_until("all was written", || (town.look().run(&["LLEN", "os:{0}:inbox:1002"]) == json!(0)).then_some(()));
}

#[test]
fn a_full_inbox_refuses_or_drops_the_oldest_as_it_is_told_to() {
    for (full, kept) in [("refuse", ["1", "2", "3"]), ("drop", ["3", "4", "5"])] {
        let town = Town::with(Place::Embedded, |setup| setup.set("inbox.count_max", 3).set("inbox.full", full));
        let (mut ann, bob) = town.pair();
        bob.leave();
        town.wait_away(1002);
        let replies: Vec<_> = (1..=5).map(|number| ann.say(1002, &[text(&number.to_string(), number)])).collect();
        match full {
            "refuse" => {
                assert_eq!(replies[2]["error"], 0);
                assert_eq!(
                    (&replies[3]["error"], &replies[3]["reason"]),
                    (&json!(1106), &json!("inbox")),
                    "{}",
                    replies[3]
                );
            }
            _ => assert_eq!((&replies[4]["error"], &replies[4]["dropped"]), (&json!(0), &json!(1)), "{}", replies[4]),
        }
        assert_eq!(town.other(1002).unread(), kept, "{full}");
    }
}

/// What waits comes at once when the first part is acknowledged, and is more than may wait for a client.
#[test]
fn a_client_is_not_closed_because_its_messages_come_faster_than_it_reads() {
    for features in [&["ack"][..], &[]] {
        let town = Town::with(Place::TwoNodes, |setup| setup.set("gateway.mailbox_bytes_max", 17_000));
        let (mut ann, bob) = town.pair();
        bob.leave();
        town.wait_away(1002);
        let content = |number: u64| format!("{number} {}", "x".repeat(4_000));
        for number in 0..40 {
            assert_eq!(ann.say(1002, &[text(&content(number), number)])["error"], 0);
        }
        let mut bob = Talker::new(town.there(), 1002, features);
        let mut found = bob.unread();
        let rest = 40 - found.len();
        found.extend(bob.texts(rest));
        assert_eq!(found, (0..40).map(content).collect::<Vec<_>>());
    }
}

#[test]
fn a_message_past_its_time_is_gone() {
    let town = Town::with(Place::Embedded, |setup| setup.set("inbox.ttl_ms", 300));
    let (mut ann, bob) = town.pair();
    bob.leave();
    town.wait_away(1002);
    assert_eq!(ann.say(1002, &[text("old", 1)])["error"], 0);
    wait_until("it is too old", || {
        let bob = town.other(1002);
        bob.unread().is_empty().then_some(())
    });
}

/// The embedded store keeps what was accepted, also when the process is killed.
#[test]
fn g10_what_was_accepted_survives_a_kill_of_the_server() {
    let mut town = Town::new(Place::Embedded);
    let (mut ann, bob) = town.pair();
    bob.leave();
    town.wait_away(1002);
    for number in 1..=50 {
        assert_eq!(ann.say(1002, &[text(&number.to_string(), number)])["error"], 0);
    }
    town.nodes[0].kill();
    town.nodes[0].start_again();
    let expected: Vec<_> = (1..=50).map(|number| number.to_string()).collect();
    assert_eq!(town.other(1002).unread(), expected);
}
