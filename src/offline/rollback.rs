//! The test that nobody writes: two neighbouring versions of a script take turns, call by call, over one keyspace.
//!
//! While versions are activated and rolled back, nodes switch at different moments, so each version reads what the
//! other has written a moment ago. Every test that passes with either version alone has to pass with both in turns.

use std::sync::Arc;

use crate::offline::suite::TestFile;
use crate::script::catalogue::Script;

/// Two versions in turns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turns {
    /// The version of the next call, and that of the one after it.
    pub next: u32,
    pub then: u32,
}

impl Turns {
    /// The version that runs now.
    pub fn take(&mut self) -> u32 {
        std::mem::swap(&mut self.next, &mut self.then);
        self.then
    }
}

/// One run: the script by which failures go, and who takes the first turn.
pub struct Rollback<'a> {
    pub older: &'a Script,
    pub newer: &'a Script,
    pub turns: Turns,
}

impl Rollback<'_> {
    /// Where the two stand among all versions.
    pub fn versions<'a>(&'a self, all: &'a [Arc<Script>]) -> impl Iterator<Item = usize> + 'a {
        let both = [self.older.version(), self.newer.version()];
        (0..all.len()).filter(move |at| both.contains(&all[*at].version()))
    }

    /// What a failure goes by, as `login@2/1`.
    pub fn label(&self) -> String {
        format!("{}@{}/{}", self.newer.name(), self.turns.next, self.turns.then)
    }

    /// What a failing test means.
    pub fn explain(&self, message: &str) -> String {
        let (older, newer) = (self.older.label(), self.newer.label());
        format!(
            "{message}\nIt passes with {older} alone and with {newer} alone, but not where their calls take turns: one \
             cannot read what the other wrote."
        )
    }
}

/// All runs for a file: each pair of neighbours, the newer and then the older one first. Explorations are left out:
/// what they add is orders, which would be explored several times over.
pub fn rollbacks<'a>(file: &TestFile, versions: &'a [Arc<Script>]) -> Vec<Rollback<'a>> {
    if file.label.ends_with("/explore.lua") {
        return Vec::new();
    }
    let both_ways = |pair: &'a [Arc<Script>]| {
        let (older, newer) = (&*pair[0], &*pair[1]);
        let turns = [(newer, older), (older, newer)];
        turns.map(|(next, then)| Turns { next: next.version(), then: then.version() }).map(|turns| Rollback {
            older,
            newer,
            turns,
        })
    };
    versions.windows(2).flat_map(both_ways).collect()
}
