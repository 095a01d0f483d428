//! What a test did to a store, in a form that can be compared with what it did to another one.
//!
//! The clocks of two stores differ, so moments are compared by being moments: a run of thirteen digits, as milliseconds
//! since 1970 have them, stands for any other. And one clock stands still while the other one runs, so that what is left
//! of a time may be less by what the test took.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::embedded::Reply;
use crate::offline::store::{Message, Store};
use crate::offline::world::effect_name;
use crate::script::effect::Effect;
use crate::script::{Argument, Arguments};

/// Digits of a moment in milliseconds.
const MOMENT_DIGITS: usize = 13;
/// What stands for every moment.
const MOMENT: &str = "<moment>";
/// Fewest digits of a number that may be a time in milliseconds.
const TIME_DIGITS_MIN: usize = 4;

/// Something that a store answered.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Step {
    what: String,
    answer: String,
}

/// What a key holds.
#[derive(Debug)]
struct Held {
    value: String,
    /// Milliseconds that it has left to live.
    left_ms: Option<i64>,
}

/// Answers in their order, and the keys at the end.
#[derive(Debug)]
pub struct Trace {
    steps: Vec<Step>,
    keys: BTreeMap<String, Held>,
    start: Instant,
    took: Duration,
}

impl Trace {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        Self { steps: Vec::new(), keys: BTreeMap::new(), start: Instant::now(), took: Duration::ZERO }
    }

    /// Notes what a script answered: effects, or an error.
    pub fn note_run(&mut self, script: &str, outcome: &Result<Vec<Effect>, String>) {
        let answer = match outcome {
            Ok(effects) => effects.iter().map(shown).collect::<Vec<_>>().join("\n"),
            Err(message) => message.clone(),
        };
        self.steps.push(Step { what: format!("{script} answers"), answer: timeless(&answer) });
    }

    /// Notes messages that were published.
    pub fn note_published(&mut self, messages: &[Message]) {
        for (channel, payload) in messages {
            let answer = timeless(&String::from_utf8_lossy(payload));
            let channel = timeless(&String::from_utf8_lossy(channel));
            self.steps.push(Step { what: format!("the message on {channel}"), answer });
        }
    }

    /// Notes all keys of a store, at the end.
    pub fn note_keys(&mut self, store: &mut Store) {
        let Reply::Array(names) = store.call(&[b"KEYS", b"*"]) else { return };
        for name in names {
            let Reply::Bulk(name) = name else { continue };
            let left_ms = match store.call(&[b"PTTL", &name]) {
                Reply::Integer(left_ms) if left_ms >= 0 => Some(left_ms),
                _ => None,
            };
            let value = timeless(&value_of(store, &name));
            self.keys.insert(timeless(&String::from_utf8_lossy(&name)), Held { value, left_ms });
        }
        self.took = self.start.elapsed();
    }

    /// The first difference to what a server did, as people read it; none where there is none.
    pub fn difference(&self, server: &Trace) -> Option<String> {
        let drift_ms = server.took.as_millis() as u64 + 1;
        let steps = (0..self.steps.len().max(server.steps.len())).map(|at| (self.steps.get(at), server.steps.get(at)));
        let mut steps = steps.filter_map(|(ours, theirs)| step_difference(ours, theirs, drift_ms));
        let names = self.keys.keys().chain(server.keys.keys());
        let mut keys =
            names.filter_map(|name| key_difference(name, self.keys.get(name), server.keys.get(name), drift_ms));
        steps.next().or_else(|| keys.next())
    }
}

fn step_difference(ours: Option<&Step>, theirs: Option<&Step>, drift_ms: u64) -> Option<String> {
    let parts = |step: Option<&Step>| {
        step.map_or((String::new(), "nothing".to_owned()), |step| (step.what.clone(), step.answer.clone()))
    };
    let ((what, our_answer), (their_what, their_answer)) = (parts(ours), parts(theirs));
    if what == their_what && is_alike(&our_answer, &their_answer, drift_ms) {
        return None;
    }
    let what = match (what.as_str(), their_what.as_str()) {
        ("", only) | (only, "") => only.to_owned(),
        (ours, theirs) if ours == theirs => what,
        (ours, theirs) => format!("{ours}, {theirs}"),
    };
    Some(told(&what, &our_answer, &their_answer))
}

fn key_difference(name: &str, ours: Option<&Held>, theirs: Option<&Held>, drift_ms: u64) -> Option<String> {
    let value = |held: Option<&Held>| held.map_or("nothing".to_owned(), |held| held.value.clone());
    if !is_alike(&value(ours), &value(theirs), drift_ms) {
        return Some(told(&format!("at the end {name} holds"), &value(ours), &value(theirs)));
    }
    let left_ms = |held: Option<&Held>| held.and_then(|held| held.left_ms);
    let is_same = match (left_ms(ours), left_ms(theirs)) {
        (Some(ours), Some(theirs)) => ours.abs_diff(theirs) <= drift_ms,
        (ours, theirs) => ours == theirs,
    };
    let left = |held| match left_ms(held) {
        Some(left_ms) => format!("expires in {left_ms} ms"),
        None => "stays".to_owned(),
    };
    (!is_same).then(|| told(&format!("at the end {name}"), &left(ours), &left(theirs)))
}

/// Whether two texts are the same but for times, which may differ by what passed meanwhile.
fn is_alike(ours: &str, theirs: &str, drift_ms: u64) -> bool {
    let (ours, theirs) = (pieces(ours), pieces(theirs));
    let is_pair_alike = |(ours, theirs): (&&str, &&str)| ours == theirs || are_times_alike(ours, theirs, drift_ms);
    ours.len() == theirs.len() && ours.iter().zip(&theirs).all(is_pair_alike)
}

fn are_times_alike(ours: &str, theirs: &str, drift_ms: u64) -> bool {
    let time = |digits: &str| digits.parse::<u64>().ok().filter(|_| digits.len() >= TIME_DIGITS_MIN);
    matches!((time(ours), time(theirs)), (Some(ours), Some(theirs)) if ours.abs_diff(theirs) <= drift_ms)
}

/// A text cut where digits begin and end.
fn pieces(text: &str) -> Vec<&str> {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let runs = text.as_bytes().chunk_by(|a, b| is_digit(a) == is_digit(b));
    let ends = runs.scan(0, |end, run| {
        let start = *end;
        *end += run.len();
        // Runs begin and end beside digits, which are characters of one byte.
        text.get(start..*end)
    });
    ends.collect()
}

fn told(what: &str, ours: &str, theirs: &str) -> String {
    format!("the stores differ: {what}\non the embedded store: {ours}\non the server: {theirs}")
}

/// An effect with all its fields.
fn shown(effect: &Effect) -> String {
    let name = effect_name(effect);
    let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
    match effect {
        Effect::Reply { id, body, position } => format!("{name} {id} {} {position:?}", text(body)),
        Effect::Bind { seat, rank } => {
            format!("{name} {} {} {} {}", seat.uid.as_str(), seat.class.as_str(), rank.number, rank.epoch)
        }
        Effect::Kick { sid, reason, id, body } => format!("{name} {sid} {} {id} {}", reason.as_str(), text(body)),
        Effect::Deliver { sid, id, body, step } => format!("{name} {sid} {id} {} {step:?}", text(body)),
        Effect::Call { script, uid, arguments } => format!("{name} {script} {} {}", uid.as_str(), named(arguments)),
        Effect::Verify => name.to_owned(),
        Effect::Close { reason } => format!("{name} {}", reason.as_str()),
    }
}

fn named(arguments: &Arguments<'_>) -> String {
    let given = Argument::ALL.iter().filter_map(|argument| Some((argument.word(), arguments.get(*argument)?)));
    given.map(|(word, value)| format!("{word}={value}")).collect::<Vec<_>>().join(" ")
}

/// What a key holds, as one text that does not depend on an order that means nothing.
fn value_of(store: &mut Store, name: &[u8]) -> String {
    let Reply::Status(kind) = store.call(&[b"TYPE", name]) else { return String::new() };
    let (words, width, is_ordered): (&[&[u8]], usize, bool) = match kind.as_str() {
        "string" => (&[b"GET", name], 1, true),
        "list" => (&[b"LRANGE", name, b"0", b"-1"], 1, true),
        "hash" => (&[b"HGETALL", name], 2, false),
        "set" => (&[b"SMEMBERS", name], 1, false),
        "zset" => (&[b"ZRANGE", name, b"0", b"-1", b"WITHSCORES"], 2, false),
        "stream" => (&[b"XRANGE", name, b"-", b"+"], 1, true),
        _ => return kind,
    };
    let mut flat = Vec::new();
    flatten(store.call(words), &mut flat);
    // Members whose order is that of moments come in another one once these look alike.
    let mut items: Vec<_> = flat.chunks(width).map(|item| timeless(&item.join(" = "))).collect();
    if !is_ordered {
        items.sort();
    }
    format!("{kind} {}", items.join(", "))
}

/// The texts of a reply, whatever protocol it came in.
fn flatten(reply: Reply, texts: &mut Vec<String>) {
    match reply {
        Reply::Null => texts.push("nothing".to_owned()),
        Reply::Status(text) | Reply::Error(text) | Reply::BigNumber(text) => texts.push(text),
        Reply::Integer(number) => texts.push(number.to_string()),
        Reply::Bulk(bytes) | Reply::Verbatim(_, bytes) => texts.push(String::from_utf8_lossy(&bytes).into_owned()),
        Reply::Double(number) => texts.push(number.to_string()),
        Reply::Boolean(flag) => texts.push(flag.to_string()),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
            items.into_iter().for_each(|item| flatten(item, texts));
        }
        Reply::Map(pairs) => pairs.into_iter().for_each(|(key, value)| {
            flatten(key, texts);
            flatten(value, texts);
        }),
    }
}

/// A text in which all moments look alike.
fn timeless(text: &str) -> String {
    let is_moment = |piece: &str| piece.len() == MOMENT_DIGITS && piece.bytes().all(|byte| byte.is_ascii_digit());
    pieces(text).into_iter().map(|piece| if is_moment(piece) { MOMENT } else { piece }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_look_alike_and_other_numbers_do_not() {
        assert_eq!(timeless("a 1700000000000|x=17000000000001,12"), "a <moment>|x=17000000000001,12");
        assert_eq!(timeless(""), "");
    }

    #[test]
    fn times_may_be_less_by_what_passed() {
        assert!(is_alike("ä left 10000 of 3", "ä left 9998 of 3", 2));
        assert!(!is_alike("left 10000 of 3", "left 9997 of 3", 2));
        assert!(!is_alike("left 10000 of 3", "left 10000 of 2", 2));
        assert!(!is_alike("left 10000", "left 10000 of 3", 2));
    }

    #[test]
    fn deadlines_may_drift_and_not_vanish() {
        let held = |left_ms| Held { value: "string v".to_owned(), left_ms };
        let difference = |ours: &Held, theirs: &Held| key_difference("k", Some(ours), Some(theirs), 5);
        assert!(difference(&held(Some(60_000)), &held(Some(59_996))).is_none());
        assert!(difference(&held(Some(60_000)), &held(Some(59_000))).is_some());
        assert!(difference(&held(Some(60_000)), &held(None)).is_some());
        assert!(key_difference("k", Some(&held(None)), None, 5).is_some());
    }
}
