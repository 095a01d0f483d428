//! The test that nobody writes: two neighbouring versions of a script take turns, call by call, over one keyspace.
//!
//! While versions are activated and rolled back, nodes switch at different moments, so each version reads what the
//! other has written a moment ago. Every test that passes with either version alone has to pass with both in turns.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::offline::suite::TestFile;
use crate::script::catalogue::Script;

/// Two versions in turns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
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

    /// The newer of the two.
    pub fn newer(&self) -> u32 {
        self.next.max(self.then)
    }

    /// What a failure goes by, as `login@2/1`.
    pub fn label(&self, script: &str) -> String {
        format!("{script}@{}/{}", self.next, self.then)
    }

    /// What a failing test means.
    pub fn explain(&self, script: &str, message: &str) -> String {
        let (older, newer) = (self.next.min(self.then), self.newer());
        format!(
            "{message}\nIt passes with {script}@{older} alone and with {script}@{newer} alone, but not where their calls \
             take turns: one cannot read what the other wrote."
        )
    }
}

/// All runs for a file: each version that it runs for with the one before, the newer and then the older one first.
/// Explorations are left out: what they add is orders, which would be explored several times over.
pub fn turns(file: &TestFile, versions: &[Arc<Script>]) -> Vec<Turns> {
    if file.source.label.ends_with("/explore.lua") {
        return Vec::new();
    }
    let numbers: Vec<_> = versions.iter().map(|script| script.version()).collect();
    let pairs = numbers.windows(2).filter(|pair| file.versions.contains(&pair[1]));
    let both_ways = |pair: &[u32]| [Turns { next: pair[1], then: pair[0] }, Turns { next: pair[0], then: pair[1] }];
    pairs.flat_map(both_ways).collect()
}
