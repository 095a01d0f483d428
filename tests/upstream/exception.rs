//! The tests that are known to fail, each with a reason: `exceptions.txt`.

use std::collections::BTreeMap;

use crate::unit::Outcome;

/// Reasons by unit and name of the test.
pub struct Exceptions(BTreeMap<(String, String), String>);

impl Exceptions {
    /// Reads the list: a line in brackets names a unit, one that begins with a dash names a test, any other line is
    /// the reason for the tests below it.
    pub fn parse(text: &str) -> Exceptions {
        let mut list = BTreeMap::new();
        let (mut unit, mut reason) = (String::new(), String::new());
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                unit = name.into();
                reason.clear();
            } else if let Some(name) = line.strip_prefix("- ") {
                assert!(!unit.is_empty() && !reason.is_empty(), "`{line}` has no unit or no reason above it");
                let double = list.insert((unit.clone(), name.to_owned()), reason.clone());
                assert!(double.is_none(), "`{line}` stands twice under [{unit}]");
            } else {
                reason = line.into();
            }
        }
        Exceptions(list)
    }

    fn names<'a>(&'a self, unit: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.keys().filter(move |(of, _)| of == unit).map(|(_, name)| name.as_str())
    }

    fn has(&self, unit: &str, name: &str) -> bool {
        self.0.contains_key(&(unit.to_owned(), name.to_owned()))
    }

    /// Exceptions that a unit made use of.
    pub fn used(&self, outcome: &Outcome) -> usize {
        let failed = |name: &&str| outcome.tests.get(*name).is_some_and(Option::is_some);
        self.names(&outcome.unit).filter(failed).count()
    }

    /// Units that the list speaks of.
    pub fn units(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|(unit, _)| unit.as_str())
    }

    /// What is wrong with the outcome of a unit, each with what to do.
    pub fn violations(&self, outcome: &Outcome) -> Vec<String> {
        let unit = &outcome.unit;
        let mut found: Vec<String> =
            outcome.faults.iter().map(|fault| format!("{unit}: outside of any test: {fault}")).collect();
        for (name, wrong) in &outcome.tests {
            if let Some(wrong) = wrong
                && !self.has(unit, name)
            {
                found.push(format!("{unit}: {name}: {wrong}"));
            }
        }
        for name in self.names(unit) {
            match outcome.tests.get(name) {
                Some(None) => found.push(format!("{unit}: {name}: it passes, remove its exception")),
                None => found.push(format!("{unit}: {name}: there is no such test, remove its exception")),
                Some(Some(_)) => {}
            }
        }
        found
    }
}
