//! What a migration will do, known before the target is touched: which keys go where, which stay behind, and why none
//! of it can begin where one is not understood.

use std::collections::BTreeMap;

use crate::embedded::aof::folder::{Content, Record};
use crate::script::Key;
use crate::script::retag::{Cell, Fate, Parcel, Retag, RetagError};

/// Names of keys that are none of ours, as many as are told.
const FOREIGN_TOLD: usize = 5;

/// What is in the folder, sorted by what becomes of it.
pub struct Plan<'a> {
    content: &'a Content,
    retag: Retag,
    /// The rosters of the target by name, as scores with entries.
    rosters: BTreeMap<String, Vec<Cell<'a>>>,
    /// The record of the store: schema, number of shards, identity.
    pub record: BTreeMap<String, String>,
    /// Keys that go along, by the word of their kind, as many as there will be at the target.
    pub keys: BTreeMap<&'static str, u64>,
    /// Sessions that a server left which was killed.
    pub sessions: usize,
    /// Keys that stay behind, by the word of their kind.
    pub left: BTreeMap<&'static str, u64>,
    /// Keys whose deadline has passed.
    pub expired: u64,
    /// Keys that are none of ours, and the names of the first of them.
    pub foreign: u64,
    pub foreign_names: Vec<String>,
}

impl<'a> Plan<'a> {
    /// Looks at every key.
    ///
    /// # Errors
    /// A key that only a newer binary can know, or that is not what its name says.
    pub fn of(content: &'a Content, retag: Retag) -> Result<Self, RetagError> {
        let mut plan = Self {
            content,
            retag,
            rosters: BTreeMap::new(),
            record: BTreeMap::new(),
            keys: BTreeMap::new(),
            sessions: 0,
            left: BTreeMap::new(),
            expired: 0,
            foreign: 0,
            foreign_names: Vec::new(),
        };
        for record in content.records() {
            plan.sort(record)?;
        }
        plan.sessions = plan.rosters.values().map(|cells| cells.len() / 2).sum();
        if !plan.rosters.is_empty() {
            plan.keys.insert(Key::Roster.word(), plan.rosters.len() as u64);
        }
        Ok(plan)
    }

    fn sort(&mut self, record: Record<'a>) -> Result<(), RetagError> {
        let fate = self.retag.fate(record.key, record.kind())?;
        if self.has_expired(record) {
            self.expired += 1;
            return Ok(());
        }
        match fate {
            Fate::Moves(key) => *self.keys.entry(key.word()).or_default() += 1,
            Fate::Splits => self.retag.split(&name(record), record.cells(), &mut self.rosters)?,
            Fate::Meta => {
                let words: Vec<String> =
                    record.cells().map(|cell| String::from_utf8_lossy(&cell).into_owned()).collect();
                self.record = words.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
                self.keys.insert(Key::Meta.word(), 1);
            }
            Fate::Stays(key) => *self.left.entry(key.word()).or_default() += 1,
            Fate::Foreign => {
                self.foreign += 1;
                if self.foreign_names.len() < FOREIGN_TOLD {
                    self.foreign_names.push(name(record));
                }
            }
        }
        Ok(())
    }

    /// Every key of the target but the record of the store, made one by one.
    pub fn parcels(&self) -> impl Iterator<Item = Parcel<'a>> + '_ {
        let moved = self.content.records().filter(|record| !self.has_expired(*record)).filter_map(|record| match self
            .retag
            .fate(record.key, record.kind())
        {
            Ok(Fate::Moves(_)) => self.retag.parcel(&name(record), record.cells().collect(), record.deadline_ms()),
            _ => None,
        });
        moved.chain(self.rosters.iter().map(|(name, cells)| roster(name, cells)))
    }

    /// How many there are.
    pub fn parcels_count(&self) -> u64 {
        self.keys.iter().filter(|(word, _)| **word != Key::Meta.word()).map(|(_, count)| count).sum()
    }

    fn has_expired(&self, record: Record<'_>) -> bool {
        record.deadline_ms().is_some_and(|deadline_ms| deadline_ms <= self.retag.now_ms)
    }
}

fn roster<'a>(name: &str, cells: &[Cell<'a>]) -> Parcel<'a> {
    Parcel { key: Key::Roster, name: name.to_owned(), cells: cells.to_vec(), deadline_ms: None }
}

fn name(record: Record<'_>) -> String {
    String::from_utf8_lossy(record.key).into_owned()
}
