//! How one test went for one version of its script, as all reports tell it.

use std::time::Duration;

use crate::offline::message::Outcome;

/// One test that ran, or something that no test did.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The test file as people know it.
    pub file: String,
    /// Line of the file where the test begins; 0 where the file as a whole is meant.
    pub line: usize,
    /// The version that ran, as `login@1`.
    pub script: String,
    pub name: String,
    pub outcome: Outcome,
    pub took: Duration,
}

impl Verdict {
    /// What went wrong and where, as `lua/login/test.lua:12`; none where nothing did.
    pub fn failure(&self) -> Option<(String, &str)> {
        let Outcome::Failed(message) = &self.outcome else { return None };
        Some(match message.split_once(": ") {
            Some((place, what)) if is_place(place) && place != self.file => (place.to_owned(), what),
            Some((place, what)) if place == self.file => (self.place(), what),
            _ => (self.place(), message),
        })
    }

    /// Where the test begins, as `lua/login/test.lua:10`.
    pub fn place(&self) -> String {
        if self.line == 0 { self.file.clone() } else { format!("{}:{}", self.file, self.line) }
    }
}

/// Whether a text is a Lua file, with or without a line.
fn is_place(text: &str) -> bool {
    let file = text.rsplit_once(':').filter(|(_, line)| line.parse::<usize>().is_ok()).map_or(text, |(file, _)| file);
    file.ends_with(".lua") && !file.contains('\n')
}
