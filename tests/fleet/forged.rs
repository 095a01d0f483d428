//! Histories that never happened: the checker has to find what is wrong with each, and nothing in the one that is right.

use std::time::Duration;

use serde_json::json;

use crate::checker::{Bounds, check};
use crate::history::{Answer, End, Fault, History, Life, Notice, What};
use crate::rest::{self, Content, Row};

const BOUNDS: Bounds = Bounds { overlap: ms(100), mend: ms(100), silence: ms(2_000), may_forget: false };

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A session that was asked for at a moment and answered ten milliseconds later, on a node, with a ticket and an epoch.
fn session(asked: u64, node: usize, token: &str, epoch: u64) -> Life {
    let answer =
        Answer { at: ms(asked + 10), error: 0, reason: None, sid: format!("sid-{epoch}"), epoch, resumed: false };
    Life {
        uid: 1,
        node,
        token: token.to_owned(),
        asked: ms(asked),
        answer: Some(answer),
        served: Vec::new(),
        spoke: ms(asked),
        paused: ms(0),
        notices: Vec::new(),
        end: None,
    }
}

impl Life {
    fn served_at(mut self, moments: &[u64]) -> Self {
        self.served = moments.iter().copied().map(ms).collect();
        let sent: Vec<_> = std::iter::once(self.asked).chain(self.served.iter().copied()).collect();
        self.paused = sent.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default();
        self.spoke = self.served_until().unwrap_or(self.spoke);
        self
    }

    fn told(mut self, at: u64, reason: &str, epoch: Option<u64>) -> Self {
        let id = if reason == "displaced" { 1021 } else { 1101 };
        self.notices.push(Notice { at: ms(at), id, reason: reason.to_owned(), epoch });
        self
    }

    fn ended(mut self, at: u64, by: End) -> Self {
        self.end = Some((ms(at), by));
        self
    }

    fn resumed(mut self) -> Self {
        self.answer.as_mut().expect("a session has an answer").resumed = true;
        self
    }

    fn refused(mut self, error: u64) -> Self {
        let answer = self.answer.as_mut().expect("a session has an answer");
        (answer.error, answer.epoch) = (error, 0);
        self
    }
}

fn found(lives: Vec<Life>, faults: Vec<Fault>) -> Vec<String> {
    check(&History { lives, faults }, BOUNDS).violations
}

fn fault(node: usize, from: u64, to: u64, what: What) -> Fault {
    Fault { node: Some(node), from: ms(from), to: ms(to), what }
}

/// One violation, of this kind.
#[track_caller]
fn assert_found(kind: &str, lives: Vec<Life>, faults: Vec<Fault>) {
    let found = found(lives, faults);
    assert!(found.len() == 1 && found[0].contains(kind), "expected `{kind}`: {found:#?}");
}

#[track_caller]
fn assert_right(lives: Vec<Life>, faults: Vec<Fault>) {
    assert_eq!(found(lives, faults), [""; 0]);
}

/// A takeover as it should be: told at once, closed by the client.
fn displaced() -> Life {
    session(0, 0, "a", 100).served_at(&[50, 950]).told(1_012, "displaced", Some(200)).ended(1_015, End::Client)
}

fn taker() -> Life {
    session(1_000, 1, "b", 200).served_at(&[1_100, 1_900])
}

#[test]
fn a_takeover_as_it_should_be_is_right_and_measured() {
    assert_right(vec![displaced(), taker()], vec![]);
    let report = check(&History { lives: vec![displaced().served_at(&[1_011]), taker()], faults: vec![] }, BOUNDS);
    assert_eq!((report.overlaps, report.told), (vec![ms(1)], vec![ms(2)]));
}

#[test]
fn two_that_are_served_past_the_bound_are_found() {
    let late = || displaced().served_at(&[50, 1_200]);
    let mut late_told = late();
    late_told.notices[0].at = ms(1_210);
    assert_found("two sessions were served", vec![late_told.clone(), taker()], vec![]);
    // Its node was deaf until a moment ago: the bound runs from there.
    assert_right(vec![late_told.clone(), taker()], vec![fault(0, 900, 1_150, What::Deafness)]);
    // A deafness of another node, or one that was over long ago, explains nothing.
    assert_found(
        "two sessions were served",
        vec![late_told.clone(), taker()],
        vec![fault(2, 900, 1_150, What::Deafness)],
    );
    assert_found("two sessions were served", vec![late_told, taker()], vec![fault(0, 0, 900, What::Deafness)]);
}

#[test]
fn a_displaced_session_that_lives_on_in_silence_is_found() {
    let silent = session(0, 0, "a", 100).served_at(&[50]);
    assert_found("displaced and still there", vec![silent, taker()], vec![]);
}

#[test]
fn a_second_notice_is_found() {
    let twice = displaced().told(1_020, "displaced", Some(200));
    assert_found("told more than once", vec![twice, taker()], vec![]);
}

#[test]
fn service_after_the_notice_is_found() {
    let served = displaced().served_at(&[50, 1_014]);
    assert_found("served after it was told", vec![served, taker()], vec![]);
}

#[test]
fn a_notice_without_a_taker_is_found() {
    assert_found("none did", vec![displaced()], vec![]);
    // The only other login came after the notice, or was refused.
    assert_found("none did", vec![displaced(), session(1_500, 1, "b", 200)], vec![]);
    assert_found("none did", vec![displaced(), session(900, 1, "b", 200).refused(1010)], vec![]);
    // One whose outcome nobody knows may have taken the seat.
    assert_right(vec![displaced(), session(900, 1, "b", 200).refused(1101)], vec![]);
}

#[test]
fn a_kick_that_hits_the_newer_session_is_found() {
    let older = session(0, 0, "a", 100).ended(500, End::Client);
    let hit = session(1_000, 1, "b", 200).told(1_100, "displaced", Some(150)).ended(1_101, End::Client);
    assert_found("none did", vec![older, hit], vec![]);
}

#[test]
fn a_resume_needs_the_same_ticket() {
    let old = || session(0, 0, "a", 100).told(1_012, "resumed", Some(200)).ended(1_015, End::Client);
    assert_right(vec![old(), session(1_000, 1, "a", 200).resumed()], vec![]);
    assert_found("none did", vec![old(), session(1_000, 1, "b", 200)], vec![]);
}

#[test]
fn a_close_without_a_word_needs_a_death() {
    let closed = || session(0, 0, "a", 100).served_at(&[900]).ended(1_000, End::Server);
    assert_found("without a word", vec![closed()], vec![]);
    assert_right(vec![closed()], vec![fault(0, 990, 995, What::Death)]);
    assert_found("without a word", vec![closed()], vec![fault(1, 990, 995, What::Death)]);
    assert_found("without a word", vec![closed()], vec![fault(0, 1_001, 1_002, What::Death)]);
    let mut unanswered = closed();
    unanswered.answer = None;
    assert_found("without a word", vec![unanswered], vec![]);
}

#[test]
fn a_login_that_is_never_answered_is_found() {
    let mut unanswered = session(0, 0, "a", 100).ended(30_000, End::Client);
    unanswered.answer = None;
    assert_found("never answered", vec![unanswered.clone()], vec![]);
    assert_right(vec![unanswered.clone()], vec![fault(0, 20_000, 40_000, What::Deafness)]);
    assert_found("never answered", vec![unanswered], vec![fault(1, 20_000, 40_000, What::Deafness)]);
}

#[test]
fn a_goodbye_needs_its_own_cause() {
    let fenced = || session(0, 0, "a", 100).told(1_000, "fenced", None).ended(1_001, End::Client);
    assert_found("without a cause", vec![fenced()], vec![]);
    assert_right(vec![fenced()], vec![fault(0, 900, 950, What::Goodbye("fenced"))]);
    assert_found("without a cause", vec![fenced()], vec![fault(0, 900, 950, What::Goodbye("drained"))]);
    // Nothing says who took the seat once that one has left, too.
    let internal = || session(0, 0, "a", 100).told(1_500, "internal", None).ended(1_501, End::Client);
    assert_found("without a cause", vec![internal()], vec![]);
    assert_right(vec![internal(), taker().ended(1_400, End::Client)], vec![]);
    // A store that fell back let an older ticket in; whoever sat there with the newer one keeps the seat.
    let sitting = session(0, 0, "b", 90).served_at(&[1_400]);
    let history = History { lives: vec![sitting, internal()], faults: vec![] };
    assert!(check(&history, BOUNDS).violations.iter().any(|text| text.contains("without a cause")));
    assert_eq!(check(&history, Bounds { may_forget: true, ..BOUNDS }).violations, [""; 0]);
    let odd = session(0, 0, "a", 100).told(1_000, "oops", None).ended(1_001, End::Client);
    assert_found("without a cause", vec![odd], vec![fault(0, 900, 950, What::Goodbye("fenced"))]);
}

#[test]
fn an_expiry_needs_silence() {
    let expired =
        |spoke: u64| session(0, 0, "a", 100).served_at(&[spoke]).told(3_000, "expired", None).ended(3_001, End::Server);
    assert_right(vec![expired(900)], vec![]);
    assert_found("although it had spoken", vec![expired(1_500)], vec![]);
    // It spoke again in the very moment in which it was expired for a silence before.
    let late = session(0, 0, "a", 100).served_at(&[200, 2_990]).told(3_000, "expired", None).ended(3_001, End::Server);
    assert_right(vec![late], vec![]);
}

#[test]
fn an_epoch_that_falls_is_found() {
    let first = || session(0, 0, "a", 300).ended(500, End::Client);
    let lower = session(600, 1, "b", 200).ended(700, End::Client);
    assert_found("the epoch fell", vec![first(), lower], vec![]);
    // Two logins at the same time may be answered in either order.
    let second = session(5, 1, "b", 200).told(20, "displaced", Some(300)).ended(21, End::Client);
    assert_right(vec![first(), second], vec![]);
    assert_found("have the epoch", vec![first(), session(5, 1, "b", 300).ended(400, End::Client)], vec![]);
}

#[test]
fn a_void_ticket_that_seats_somebody_is_found() {
    let first = session(0, 0, "a", 100).ended(500, End::Client);
    let second = session(600, 0, "b", 200).ended(700, End::Client);
    let third = session(800, 0, "a", 300).resumed();
    assert_found("a void ticket", vec![first.clone(), second.clone(), third], vec![]);
    assert_right(vec![first, second, session(800, 0, "b", 300).resumed()], vec![]);
}

/// A store with one session on one node, as it should be; `change` breaks it.
fn stored(change: impl FnOnce(&mut Content)) -> Vec<String> {
    let row = Row {
        node: "t1".to_owned(),
        incarnation: "7".to_owned(),
        uid: "1".to_owned(),
        class: "main".to_owned(),
        sid: "sid-100".to_owned(),
    };
    let mut content = Content {
        seats: [row.clone()].into(),
        roster: vec![row],
        nodes: [("t1".to_owned(), json!({ "incarnation": 7, "count": 1 }))].into(),
        leased: ["t1".to_owned()].into(),
    };
    change(&mut content);
    rest::check(&content, &[&session(0, 0, "a", 100)], &["t1".to_owned()], &[])
}

/// Says something else of the node in the directory.
fn set(content: &mut Content, field: &str, number: u64) {
    content.nodes.get_mut("t1").expect("it is there")[field] = json!(number);
}

#[track_caller]
fn assert_not_at_rest(kind: &str, change: impl FnOnce(&mut Content)) {
    let found = stored(change);
    assert!(found.iter().any(|wrong| wrong.contains(kind)), "expected `{kind}`: {found:#?}");
}

#[test]
fn a_store_at_rest_is_right_and_one_that_is_not_is_found() {
    assert_eq!(stored(|_| {}), [""; 0]);
    assert_not_at_rest("a client lives without its seat", |content| content.seats.clear());
    assert_not_at_rest("an entry without a seat", |content| content.seats.clear());
    assert_not_at_rest("stands in no roster", |content| content.roster.clear());
    assert_not_at_rest("an entry twice", |content| content.roster.extend(content.roster.clone()));
    assert_not_at_rest("the directory counts", |content| set(content, "count", 2));
    assert_not_at_rest("the roster has", |content| set(content, "incarnation", 8));
    assert_not_at_rest("without a lease", |content| content.leased.clear());
    assert_not_at_rest("does not know t1", |content| content.nodes.clear());
    assert_not_at_rest("held by nobody", |content| {
        let ghost = Row { uid: "2".to_owned(), ..content.roster[0].clone() };
        content.seats.insert(ghost.clone());
        content.roster.push(ghost);
    });
}

#[test]
fn what_a_dead_node_left_is_found() {
    let row = |node: &str| Row { node: node.to_owned(), ..Row::default() };
    let mut content = Content { roster: vec![row("t1")], seats: [row("t1")].into(), ..Content::default() };
    content.leased.insert("t1".to_owned());
    let found = rest::check(&content, &[], &["t1".to_owned()], &[0]);
    let is_found = |kind: &str| found.iter().any(|wrong| wrong.contains(kind));
    assert!(is_found("1 of its sessions are in the roster") && is_found("dead and has a lease"), "{found:#?}");
    assert_eq!(rest::check(&Content::default(), &[], &["t1".to_owned()], &[0]), [""; 0]);
}
