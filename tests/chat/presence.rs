//! Presence: friends learn who comes and goes, short absences stay hidden, a node that dies is no storm.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{clock_ms, wait_until};
use crate::talker::Talker;
use crate::town::{GRACE_MS, Place, Town, everywhere};

everywhere!(
    friends_learn_of_each_other_who_comes_and_who_goes,
    a_short_absence_is_not_told,
    who_is_no_friend_learns_nothing
);

const CAME: u64 = 1003;
const WENT: u64 = 1101;

/// The next notice of this type of a user; the types of those before it are noted.
fn notice(talker: &mut Talker, of: u64, wanted: u64, before: &mut Vec<Value>) -> Value {
    loop {
        let notice = talker.until(1025);
        if notice["uid"] == of && notice["type"] == wanted {
            return notice;
        }
        before.push(notice["type"].clone());
    }
}

fn friends_learn_of_each_other_who_comes_and_who_goes(town: &Town) {
    town.profile(1002, "Bob");
    let (mut ann, bob) = town.pair();
    town.wait_told();
    bob.leave();
    let gone = notice(&mut ann, 1002, WENT, &mut Vec::new());
    assert_eq!((&gone["error"], &gone["status"]), (&json!(0), &json!(0)), "{gone}");
    let mut bob = town.other(1002);
    let came = notice(&mut ann, 1002, CAME, &mut Vec::new());
    assert_eq!((&came["status"], &came["icon"]), (&json!(1), &json!(":/1.png")), "{came}");
    let there = notice(&mut bob, 1001, CAME, &mut Vec::new());
    assert_eq!(there["status"], 1, "who comes learns who is there: {there}");
}

fn a_short_absence_is_not_told(town: &Town) {
    let (mut ann, mut bob) = town.pair();
    town.wait_told();
    let token = bob.token.clone();
    for _ in 0..3 {
        bob.settle();
        bob = Talker::with(town.there(), 1002, token.clone(), &["ack"]);
    }
    bob.leave();
    // Only the end is told, after the grace.
    let begun = clock_ms();
    let mut before = Vec::new();
    notice(&mut ann, 1002, WENT, &mut before);
    // Of his first coming she may learn twice: because he came, and because she did.
    assert!(before.len() <= 2 && before.iter().all(|kind| *kind == CAME), "the reconnects were told: {before:?}");
    assert!(clock_ms() - begun >= GRACE_MS / 2, "not at once");
}

fn who_is_no_friend_learns_nothing(town: &Town) {
    let (mut ann, mut bob) = town.pair();
    let mut stranger = town.actor(1003);
    assert_eq!(bob.ask(1106, 1107, &json!({ "fromuid": 1002, "touid": 1001 }))["error"], 0);
    bob.leave();
    let _bob = town.other(1002);
    ann.settle();
    stranger.settle();
    let wait = Duration::from_millis(3 * GRACE_MS);
    assert_eq!(stranger.within(1025, wait), None);
    while let Some(notice) = ann.within(1025, wait) {
        assert!(notice["type"] != CAME || notice["uid"] != 1002 || ann.reply["friend_list"].is_null(), "{notice}");
    }
}

/// One frame for all, where the client can read it.
#[test]
fn many_friends_who_are_there_are_one_frame_where_the_client_says_so() {
    let town = Town::new(Place::Embedded);
    let mut ann = town.actor(1001);
    let mut friends: Vec<Talker> = (2000..2010).map(|uid| town.other(uid)).collect();
    for friend in &mut friends {
        town.befriend(friend, &mut ann);
    }
    town.wait_told();
    ann.leave();
    let mut ann = Talker::new(town.here(), 1001, &["ack", "batch"]);
    let frame = wait_until("the frame with all of them", || {
        let frame = ann.until(1025);
        frame["friends"].is_array().then_some(frame)
    });
    assert_eq!(crate::talker::uids(&frame["friends"]), (2000..2010).collect::<Vec<_>>(), "{frame}");
}

/// What a node that died cannot tell any more, others do.
#[test]
fn the_users_of_a_node_that_died_go_off_line_at_their_friends() {
    let mut town = Town::new(Place::TwoNodes);
    let mut ann = town.actor(1001);
    let mut friends: Vec<Talker> = (2000..2020).map(|uid| town.other(uid)).collect();
    for friend in &mut friends {
        town.befriend(friend, &mut ann);
    }
    town.wait_told();
    town.nodes[1].kill();
    let mut gone: Vec<u64> = Vec::new();
    while gone.len() < friends.len() {
        let notice = ann.until(1025);
        if notice["type"] == WENT {
            gone.push(notice["uid"].as_u64().expect("a uid"));
        }
    }
    gone.sort_unstable();
    assert_eq!(gone, (2000..2020).collect::<Vec<_>>(), "each once");
}
