//! Which lines of the judged scripts and their helpers ran in tests, by the files that people know.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use crate::offline::chunk;
use crate::offline::reach::Reach;
use crate::script::catalogue::Script;

/// How often each line that can run ran, by file.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    files: BTreeMap<String, BTreeMap<usize, u64>>,
}

impl Coverage {
    /// What was reached of some scripts.
    pub fn of<'a>(scripts: impl Iterator<Item = &'a Arc<Script>>, reach: &Reach) -> Self {
        let mut coverage = Self::default();
        for script in scripts {
            let ran = reach.lines.get(&script.label());
            // A catalogue holds scripts that compile; one that does not has failed all its tests already.
            for line in chunk::executable_lines(script.text()).unwrap_or_default() {
                let count = ran.and_then(|lines| lines.get(&line)).copied().unwrap_or_default();
                let (label, line) = script.bundle.origin(line);
                *coverage.files.entry(label.to_owned()).or_default().entry(line).or_default() += count;
            }
        }
        coverage
    }

    /// Lines that can run.
    pub fn lines(&self) -> usize {
        self.files.values().map(BTreeMap::len).sum()
    }

    /// Lines that did not run, by file; files without any are left out.
    pub fn missed(&self) -> BTreeMap<&str, BTreeSet<usize>> {
        let missed = |lines: &BTreeMap<usize, u64>| {
            lines.iter().filter(|(_, count)| **count == 0).map(|(line, _)| *line).collect::<BTreeSet<_>>()
        };
        let files = self.files.iter().map(|(file, lines)| (file.as_str(), missed(lines)));
        files.filter(|(_, missed)| !missed.is_empty()).collect()
    }

    /// How many of a hundred lines ran, rounded down to a tenth, so that 100 means all. All of no lines ran.
    pub fn percent(&self) -> f64 {
        let (lines, missed) = (self.lines(), self.missed().values().map(BTreeSet::len).sum::<usize>());
        if missed == 0 { 100.0 } else { ((lines - missed) * 1000 / lines) as f64 / 10.0 }
    }

    /// The summary: one line, then one for each file with lines that did not run.
    pub fn summary(&self) -> String {
        let mut text = format!("coverage: {:.1} % of {} lines\n", self.percent(), self.lines());
        for (file, missed) in self.missed() {
            text.push_str(&format!("  {file}: not run: {}\n", ranges(&missed)));
        }
        text
    }

    /// The tracefile that lcov, genhtml and most editors read.
    pub fn lcov(&self) -> String {
        let mut text = String::new();
        for (file, lines) in &self.files {
            text.push_str(&format!("TN:\nSF:{file}\n"));
            for (line, count) in lines {
                // Writing into a text cannot fail.
                let _ = writeln!(text, "DA:{line},{count}");
            }
            let hit = lines.values().filter(|count| **count > 0).count();
            text.push_str(&format!("LF:{}\nLH:{hit}\nend_of_record\n", lines.len()));
        }
        text
    }
}

/// Numbers as people write them: `3, 7-9`.
fn ranges(numbers: &BTreeSet<usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let show = |(first, last): &(usize, usize)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    runs.iter().map(show).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_means_all() {
        let lines = (1..=2000).map(|line| (line, u64::from(line != 7))).collect();
        let coverage = Coverage { files: BTreeMap::from([("lua/a.lua".to_owned(), lines)]) };
        assert_eq!(coverage.summary(), "coverage: 99.9 % of 2000 lines\n  lua/a.lua: not run: 7\n");
        assert!((Coverage::default().percent() - 100.0).abs() < f64::EPSILON);
    }

    #[test]
    fn neighbours_become_ranges() {
        assert_eq!(ranges(&BTreeSet::from([1, 2, 3, 5, 8, 9])), "1-3, 5, 8-9");
    }
}
