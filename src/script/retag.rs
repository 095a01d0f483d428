//! What becomes of each key when a store moves to another one with another number of shards.
//!
//! The keys of a user go to the shard that the uid has there, and a roster is split by the uid of each entry. What holds
//! for a running fleet only stays behind: leases, what nodes counted, who has yet to be told of whom, and the events of
//! seats, which backends count by shard. Node records go along, marked dead: so no
//! incarnation is given twice, and the sessions that a killed node left count for nothing until somebody reaps them,
//! with the rules of the scripts. The record of the store itself is written anew.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

use crate::id::Uid;
use crate::script::key::{Key, Shard};

/// A word of a value, as the command takes it that adds to such a value.
pub type Cell<'a> = Cow<'a, [u8]>;
/// What all keys of a store begin with.
pub const PREFIX: &str = "os:";

/// A key with its whole value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parcel<'a> {
    pub key: Key,
    pub name: String,
    /// Fields with values, scores with members, or items, as the type of the key has it.
    pub cells: Vec<Cell<'a>>,
    /// Milliseconds since 1970; none for a key that stays.
    pub deadline_ms: Option<u64>,
}

/// Why a key cannot go along.
#[derive(Debug, Error)]
pub enum RetagError {
    #[error("`{name}` is no key that this binary knows")]
    Unknown { name: String },
    #[error("`{name}` is a {found}, but a {} is a {}", key.word(), key.kind())]
    Type { name: String, key: Key, found: &'static str },
    #[error("`{name}` has an entry that is none: {entry}")]
    Entry { name: String, entry: String },
}

/// What becomes of one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It goes along, under the name that [`Retag::parcel`] gives it.
    Moves(Key),
    /// Its entries are spread over the rosters of all shards.
    Splits,
    /// It is the record of the store.
    Meta,
    /// It holds for the running fleet only.
    Stays(Key),
    /// It is none of ours.
    Foreign,
}

/// A move to so many shards, at a moment of the target's clock.
#[derive(Clone, Copy, Debug)]
pub struct Retag {
    pub shards: u16,
    pub now_ms: u64,
}

impl Retag {
    /// What becomes of a key of this name and type.
    pub fn fate(self, name: &[u8], kind: &'static str) -> Result<Fate, RetagError> {
        if !name.starts_with(PREFIX.as_bytes()) {
            return Ok(Fate::Foreign);
        }
        let text = String::from_utf8_lossy(name).into_owned();
        let Some((key, uid)) = Key::read(&text) else { return Err(RetagError::Unknown { name: text }) };
        if key.of_user() && Uid::parse(uid).is_none() {
            return Err(RetagError::Unknown { name: text });
        }
        if key.kind() != kind {
            return Err(RetagError::Type { name: text, key, found: kind });
        }
        Ok(match key {
            Key::Roster => Fate::Splits,
            Key::Meta => Fate::Meta,
            Key::Leases | Key::Stats | Key::Presence | Key::Events => Fate::Stays(key),
            _ => Fate::Moves(key),
        })
    }

    /// A key that moves, as it is to be. `name` is one that [`Retag::fate`] has seen.
    pub fn parcel<'a>(self, name: &str, cells: Vec<Cell<'a>>, deadline_ms: Option<u64>) -> Option<Parcel<'a>> {
        let (key, uid) = Key::read(name)?;
        let shard = Uid::parse(uid).map_or(Shard(0), |uid| Shard::of(&uid, self.shards));
        let cells = if key == Key::Nodes { self.all_dead(cells) } else { cells };
        Some(Parcel { key, name: key.name(shard, uid), cells, deadline_ms })
    }

    /// Spreads a roster, given as scores with entries, over those of the target.
    pub fn split<'a>(
        self,
        name: &str,
        cells: impl Iterator<Item = Cell<'a>>,
        into: &mut BTreeMap<String, Vec<Cell<'a>>>,
    ) -> Result<(), RetagError> {
        let mut cells = cells;
        while let (Some(score), Some(entry)) = (cells.next(), cells.next()) {
            let Some(uid) = uid_of(&entry) else {
                let entry = String::from_utf8_lossy(&entry).into_owned();
                return Err(RetagError::Entry { name: name.to_owned(), entry });
            };
            let roster = Key::Roster.name(Shard::of(&uid, self.shards), "");
            into.entry(roster).or_default().extend([score, entry]);
        }
        Ok(())
    }

    /// Node records, given as names with JSON; what is no JSON is left as it is.
    fn all_dead(self, mut cells: Vec<Cell<'_>>) -> Vec<Cell<'_>> {
        for record in cells.iter_mut().skip(1).step_by(2) {
            if let Ok(Value::Object(mut fields)) = serde_json::from_slice(record) {
                fields.entry("dead").or_insert(self.now_ms.into());
                *record = Cow::Owned(Value::Object(fields).to_string().into_bytes());
            }
        }
        cells
    }
}

/// The user of a roster entry, `<node>#<incarnation>|<uid>|<class>|<sid>`.
fn uid_of(entry: &[u8]) -> Option<Uid> {
    let mut parts = std::str::from_utf8(entry).ok()?.split('|');
    let (owner, uid) = (parts.next()?, parts.next()?);
    (owner.contains('#') && parts.count() == 2).then(|| Uid::parse(uid))?
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETAG: Retag = Retag { shards: 8, now_ms: 5 };

    fn cells(texts: &[&'static str]) -> Vec<Cell<'static>> {
        texts.iter().map(|text| Cow::Borrowed(text.as_bytes())).collect()
    }

    #[test]
    fn keys_of_a_user_follow_the_uid_and_the_directory_stays_where_it_is() {
        let shard = Shard::of(&Uid::parse("a:1").expect("a uid"), 8);
        let parcel = RETAG.parcel("os:{0}:seat:a:1", cells(&["f", "v"]), Some(9)).expect("a key");
        assert_eq!((parcel.name, parcel.deadline_ms), (Key::Seat.name(shard, "a:1"), Some(9)));
        let parcel = RETAG.parcel("os:{dir}:scripts", cells(&["f", "v"]), None).expect("a key");
        assert_eq!(parcel.name, "os:{dir}:scripts");
    }

    #[test]
    fn a_roster_is_split_by_the_uid_of_each_entry() {
        let mut rosters = BTreeMap::new();
        let entries = cells(&["0", "n#1|1001|main|s1", "0", "n#1|1002|main|s2"]);
        RETAG.split("os:{0}:roster", entries.into_iter(), &mut rosters).expect("entries");
        let names: Vec<_> = ["1001", "1002"].map(|uid| Shard::of(&Uid::parse(uid).expect("a uid"), 8)).into();
        assert_eq!(rosters[&Key::Roster.name(names[0], "")], cells(&["0", "n#1|1001|main|s1"]));
        assert_eq!(rosters[&Key::Roster.name(names[1], "")], cells(&["0", "n#1|1002|main|s2"]));
        let broken = RETAG.split("os:{0}:roster", cells(&["0", "n#1|1001"]).into_iter(), &mut rosters);
        assert!(matches!(broken, Err(RetagError::Entry { .. })));
    }

    #[test]
    fn every_node_arrives_dead_and_one_that_was_keeps_its_moment() {
        let nodes = cells(&["a", r#"{"count":1,"new":true}"#, "b", r#"{"dead":2}"#, "c", "no JSON"]);
        let parcel = RETAG.parcel("os:{dir}:nodes", nodes, None).expect("a key");
        let texts: Vec<_> = parcel.cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        assert_eq!(texts, ["a", r#"{"count":1,"dead":5,"new":true}"#, "b", r#"{"dead":2}"#, "c", "no JSON"]);
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        assert_eq!(RETAG.fate(b"mine", "string").expect("fine"), Fate::Foreign);
        assert_eq!(RETAG.fate(b"os:{dir}:leases", "zset").expect("fine"), Fate::Stays(Key::Leases));
        for (name, kind) in [("os:{0}:novelty:1", "hash"), ("os:{0}:seat:1", "list"), ("os:{0}:seat:a|b", "hash")] {
            let error = RETAG.fate(name.as_bytes(), kind).expect_err("refused");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
