//! The report that people read, written while the run goes on.

use std::io::{self, Write};

use crate::offline::message::Outcome;
use crate::offline::record::Record;
use crate::offline::runner::Results;
use crate::offline::search::Explored;
use crate::offline::verdict::Verdict;

/// Writes what came of a job: its failures, then how many passed.
pub fn record(out: &mut dyn Write, record: &Record) -> io::Result<()> {
    record.verdicts.iter().try_for_each(|verdict| failure(out, verdict))?;
    let passed = record.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Passed).count();
    if passed > 0 {
        writeln!(out, "ok   {} {}: {passed} passed", record.file, record.script)?;
    }
    if record.in_turns > 0 {
        writeln!(out, "ok   {} {}: {} in turns", record.file, record.script, record.in_turns)?;
    }
    Ok(())
}

/// Writes a failure with its place; nothing for a test that did not fail.
pub fn failure(out: &mut dyn Write, verdict: &Verdict) -> io::Result<()> {
    let Some((place, what)) = verdict.failure() else { return Ok(()) };
    writeln!(out, "FAIL {place} {}: {}", verdict.script, printable(&verdict.name))?;
    what.lines().try_for_each(|line| writeln!(out, "     {}", printable(line)))
}

/// A text that cannot steer the terminal.
pub fn printable(text: &str) -> String {
    let show = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(show).collect()
}

/// Writes what the run as a whole came to; the last line has the numbers.
pub fn summary(out: &mut dyn Write, results: &Results) -> io::Result<()> {
    let tally = results.tally();
    if tally.embedded_only > 0 {
        writeln!(out, "{} set the clock and ran on the embedded store only", tally.embedded_only)?;
    }
    let Explored { orders, states } = results.explored;
    if states > 0 {
        writeln!(out, "explored {orders} orders in {states} states")?;
    }
    if let Some(coverage) = &results.coverage {
        out.write_all(coverage.summary().as_bytes())?;
    }
    if tally.failed > 0 {
        writeln!(out, "seed {}", results.seed)?;
    }
    writeln!(out, "{} passed, {} failed", tally.passed, tally.failed)?;
    out.flush()
}
