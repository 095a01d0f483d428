//! What tests reached: the effects that came back and the lines that ran.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::offline::search::Explored;

/// By the script's label, as `login@1`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Reach {
    /// Names of the effects that came back.
    pub effects: BTreeMap<String, BTreeSet<String>>,
    /// How often the lines of its bundle ran, those only that did.
    pub lines: BTreeMap<String, BTreeMap<usize, u64>>,
    /// What explorations covered.
    pub explored: Explored,
}

impl Reach {
    /// Adds what another test reached.
    pub fn add(&mut self, other: Reach) {
        self.explored = self.explored + other.explored;
        for (script, effects) in other.effects {
            self.effects.entry(script).or_default().extend(effects);
        }
        for (script, lines) in other.lines {
            let counts = self.lines.entry(script).or_default();
            lines.into_iter().for_each(|(line, count)| *counts.entry(line).or_default() += count);
        }
    }
}
