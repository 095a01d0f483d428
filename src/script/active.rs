//! Which version of each script this node runs: one immutable set, swapped as a whole.
//!
//! A call takes its script from one snapshot, so that it never sees half of a change.

use std::collections::HashMap;
use std::sync::Arc;

use crate::script::catalogue::{Catalogue, Script};

/// The scripts by which nodes live in the directory and versions change. They never come from the fleet: the way back
/// must not depend on what it leads back from.
pub const LIFECYCLE: [&str; 13] = [
    "activate", "beat", "drain", "history", "leave", "mark", "nodes", "ping", "push", "register", "rollback", "source",
    "versions",
];

/// What runs under one name.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The version for everybody.
    pub stable: Arc<Script>,
    /// The version for a share of the users, while it is tried out.
    pub canary: Option<Canary>,
    /// Revision with which the fleet chose it; 0 where nobody did.
    pub since: u64,
}

/// A version that is tried out.
#[derive(Clone, Debug)]
pub struct Canary {
    pub script: Arc<Script>,
    /// Share of the users, in per cent.
    pub percent: u8,
}

impl Choice {
    /// The version for a user. It stays the same for as long as the shares do, and a greater share has all the users of
    /// a smaller one.
    fn pick(&self, uid: &str) -> &Arc<Script> {
        match &self.canary {
            Some(canary) if !uid.is_empty() && share_of(uid) < u32::from(canary.percent) => &canary.script,
            _ => &self.stable,
        }
    }

    /// Both versions.
    pub fn scripts(&self) -> impl Iterator<Item = &Arc<Script>> {
        std::iter::once(&self.stable).chain(self.canary.iter().map(|canary| &canary.script))
    }
}

/// Where in the hundred a user stands. Not the hash that picks shards: a canary has users of every shard.
fn share_of(uid: &str) -> u32 {
    crc32fast::hash(uid.as_bytes()) % 100
}

/// The versions that run, by name.
#[derive(Debug)]
pub struct ActiveSet {
    /// Revision of the fleet's choice that this is; 0 for what came with the binary or from a folder.
    revision: u64,
    choices: HashMap<String, Choice>,
    /// What ran before and runs no more, latest first: its numbers are still of interest, and it may come back.
    former: Vec<Arc<Script>>,
}

/// Former versions that are remembered.
const FORMER_MAX: usize = 16;

impl ActiveSet {
    /// The highest version of every script of a catalogue.
    pub fn of_catalogue(catalogue: &Catalogue) -> Self {
        let choice = |script: &Arc<Script>| {
            (script.name().to_owned(), Choice { stable: script.clone(), canary: None, since: 0 })
        };
        Self::new(0, catalogue.active().map(choice).collect())
    }

    /// What the fleet chose.
    pub fn new(revision: u64, choices: HashMap<String, Choice>) -> Self {
        Self { revision, choices, former: Vec::new() }
    }

    /// Remembers what ran before it.
    #[must_use]
    pub(super) fn after(mut self, before: &ActiveSet) -> Self {
        let is_gone = |script: &&Arc<Script>| !self.scripts().any(|other| Arc::ptr_eq(other, script));
        self.former = before.known().filter(is_gone).take(FORMER_MAX).cloned().collect();
        self
    }

    /// Revision of the fleet's choice.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The version of a script that runs for a user; `uid` is empty for scripts that work on none.
    pub fn pick(&self, name: &str, uid: &str) -> Option<&Arc<Script>> {
        self.choices.get(name).map(|choice| choice.pick(uid))
    }

    /// What runs under a name.
    pub fn get(&self, name: &str) -> Option<&Choice> {
        self.choices.get(name)
    }

    /// Every script that runs, in no order.
    pub fn scripts(&self) -> impl Iterator<Item = &Arc<Script>> {
        self.choices.values().flat_map(Choice::scripts)
    }

    /// Every script that runs, and what ran before.
    pub fn known(&self) -> impl Iterator<Item = &Arc<Script>> {
        self.scripts().chain(&self.former)
    }

    /// What runs, by name.
    pub fn choices(&self) -> impl Iterator<Item = (&str, &Choice)> {
        self.choices.iter().map(|(name, choice)| (name.as_str(), choice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(percent: u8) -> Choice {
        let catalogue = Catalogue::embedded().expect("the built-in scripts are well-formed");
        let login = catalogue.get("login").expect("it is there").clone();
        let other = catalogue.get("logout").expect("it is there").clone();
        Choice { stable: login, canary: Some(Canary { script: other, percent }), since: 0 }
    }

    fn picked(percent: u8) -> Vec<String> {
        let choice = canary(percent);
        let uids = (0..10_000).map(|n| (1_000_000 + n * 7).to_string());
        uids.filter(|uid| choice.pick(uid).name() == "logout").collect()
    }

    #[test]
    fn a_canary_has_its_share_of_the_users_and_keeps_it_while_the_share_grows() {
        let (few, more) = (picked(5), picked(20));
        assert!((400..600).contains(&few.len()), "{} of 10000", few.len());
        assert!((1_800..2_200).contains(&more.len()), "{} of 10000", more.len());
        assert!(few.iter().all(|uid| more.contains(uid)));
        assert_eq!(picked(0).len(), 0);
        assert_eq!(picked(100).len(), 10_000);
    }

    #[test]
    fn calls_for_no_user_are_never_tried_out() {
        assert_eq!(canary(100).pick("").name(), "login");
    }

    #[test]
    fn the_scripts_of_the_way_back_exist() {
        let catalogue = Catalogue::embedded().expect("the built-in scripts are well-formed");
        assert!(LIFECYCLE.iter().all(|name| catalogue.get(name).is_some()));
    }
}
