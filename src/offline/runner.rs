//! Runs a suite: has every test run for every version that it claims, and judges what they reached together.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::embedded::Reply;
use crate::offline::coverage::Coverage;
use crate::offline::link::{Link, Target};
use crate::offline::message::{Job, Outcome, PROTOCOL, Setup, Terms};
use crate::offline::pool::{Crew, Executor, Note, run_here};
use crate::offline::reach::Reach;
use crate::offline::record::Record;
use crate::offline::report;
use crate::offline::rollback::{self, Turns};
use crate::offline::search::Explored;
use crate::offline::store::Store;
use crate::offline::suite::{Suite, TestFile};
use crate::offline::verdict::Verdict;
use crate::offline::worker::Worker;
use crate::script::catalogue::Script;
use crate::script::problem::Problem;

/// What to run and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only tests whose name contains this. Nothing is judged that only the whole suite can reach.
    pub filter: Option<String>,
    /// A server on which each test runs too.
    pub server: Option<Target>,
    /// Empty the server's database although it holds keys.
    pub flush: bool,
    /// Start of the random numbers that tests draw.
    pub seed: u64,
    /// Who runs the tests.
    pub executor: Executor,
    /// Longest time that a test may give no sign; children only.
    pub silence_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            filter: None,
            server: None,
            flush: false,
            seed: 0,
            executor: Executor::default(),
            silence_max: Duration::from_secs(10),
        }
    }
}

/// Why the run could not go on.
#[derive(Debug, Error)]
pub enum RunError {
    #[error("the server: {0}")]
    Server(#[source] io::Error),
    #[error("the server's database holds {0} keys, which the tests would delete")]
    NotEmpty(i64),
    #[error("the run ended early: {0}")]
    Run(#[from] io::Error),
}

/// How many tests went how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    /// Tests that set the clock and so say nothing about a server.
    pub embedded_only: usize,
}

/// What a run came to.
#[derive(Debug)]
pub struct Results {
    /// Every test for every version, in the order of the files.
    pub verdicts: Vec<Verdict>,
    /// What the tests reached of the judged scripts; none for a part of the tests, or where no script compiles.
    pub coverage: Option<Coverage>,
    /// What explorations covered.
    pub explored: Explored,
    pub seed: u64,
}

impl Results {
    /// The numbers.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for verdict in &self.verdicts {
            match verdict.outcome {
                Outcome::Passed => tally.passed += 1,
                Outcome::Failed(_) => tally.failed += 1,
                Outcome::EmbeddedOnly => tally.embedded_only += 1,
            }
        }
        tally
    }

    /// How many of a hundred lines of the judged scripts ran.
    pub fn coverage_percent(&self) -> Option<f64> {
        self.coverage.as_ref().map(Coverage::percent)
    }
}

/// Runs a suite and writes a report, whose last line has the numbers.
pub fn run(suite: &Suite, options: &Options, out: &mut dyn Write) -> Result<Results, RunError> {
    run_heard(suite, options, out, &mut |_| {})
}

/// Runs a suite as [`run`] does, and tells what goes on meanwhile.
pub fn run_heard(
    suite: &Suite,
    options: &Options,
    out: &mut dyn Write,
    hear: &mut dyn FnMut(&Note),
) -> Result<Results, RunError> {
    if let Some(target) = &options.server {
        check_server(target, options.flush)?;
    }
    let mut order = Order { next: 0, waiting: BTreeMap::new(), records: Vec::new() };
    execute(suite, options, &mut |note| {
        hear(&note);
        if let Note::Finished(index, record) = note {
            order.put(index, record, out)?;
        }
        Ok(())
    })?;
    if let Some(target) = &options.server {
        // What the last test left would look like somebody's data to the next run.
        Store::server(target).map(drop).map_err(RunError::Server)?;
    }
    let results = judge(suite, options, order.records, out)?;
    report::summary(out, &results)?;
    Ok(results)
}

/// A database with keys in it is somebody's.
fn check_server(target: &Target, flush: bool) -> Result<(), RunError> {
    let mut link = Link::open(target).map_err(RunError::Server)?;
    match link.call(&[b"DBSIZE"]).map_err(RunError::Server)? {
        Reply::Integer(keys) if keys > 0 && !flush => Err(RunError::NotEmpty(keys)),
        Reply::Error(text) => Err(RunError::Server(io::Error::other(text))),
        _ => Ok(()),
    }
}

/// Puts records back into the order of their jobs, and reports each as soon as all before it are there.
struct Order {
    next: usize,
    waiting: BTreeMap<usize, Record>,
    records: Vec<Record>,
}

impl Order {
    fn put(&mut self, index: usize, record: Record, out: &mut dyn Write) -> io::Result<()> {
        self.waiting.insert(index, record);
        while let Some(record) = self.waiting.remove(&self.next) {
            report::record(out, &record)?;
            self.records.push(record);
            self.next += 1;
        }
        Ok(())
    }
}

fn execute(suite: &Suite, options: &Options, hear: &mut dyn FnMut(Note) -> io::Result<()>) -> io::Result<()> {
    let (filter, server) = (options.filter.clone(), options.server.clone());
    let terms = Terms { filter, seed: options.seed, server };
    let (records, files) = (records(suite, options.server.is_none()), suite.files.clone());
    match &options.executor {
        Executor::InProcess => {
            run_here(&Worker { catalogue: Rc::clone(&suite.catalogue), files, terms }, records, hear)
        }
        Executor::Children { program, at_once } => {
            let setup = Setup { protocol: PROTOCOL, tree: suite.tree.clone(), files, terms };
            // On a server all tests share one database.
            let at_once = if options.server.is_some() { 1 } else { *at_once };
            let setup = serde_json::to_string(&setup)?;
            Crew { program, at_once, setup: &setup, silence_max: options.silence_max }.run(records, hear)
        }
    }
}

/// One job for every file and every version that it runs for, and, on the engine alone, for versions in turns.
fn records(suite: &Suite, on_engine: bool) -> Vec<Record> {
    let of_file = |(position, file): (usize, &TestFile)| {
        let record = |version: &u32| {
            let (job, script) = (Job { file: position, version: *version, turns: None, from: 0 }, &file.script);
            Record::new(job, file.source.label.clone(), format!("{script}@{version}"))
        };
        let in_turns = |turns: Turns| {
            let job = Job { file: position, version: turns.newer(), turns: Some(turns), from: 0 };
            Record::new(job, file.source.label.clone(), turns.label(&file.script))
        };
        let turns = rollback::turns(file, suite.catalogue.versions(&file.script));
        let turns = turns.into_iter().filter(|_| on_engine).map(in_turns);
        file.versions.iter().map(record).chain(turns).collect::<Vec<_>>()
    };
    suite.files.iter().enumerate().flat_map(of_file).collect()
}

/// Adds what only the whole of the tests shows: tests that nobody runs, effects and lines that no test reaches.
fn judge(suite: &Suite, options: &Options, records: Vec<Record>, out: &mut dyn Write) -> Result<Results, RunError> {
    let mut reach = Reach::default();
    let (mut verdicts, mut late) = (Vec::new(), unclaimed(suite, &records));
    late.extend(suite.problems.iter().map(of_problem));
    for record in records {
        verdicts.extend(record.verdicts);
        reach.add(record.reach);
    }
    let coverage = options.filter.is_none().then(|| Coverage::of(judged(suite), &reach));
    // Scripts of which none compiles have no lines to speak of.
    let coverage = coverage.filter(|coverage| coverage.lines() > 0);
    if options.filter.is_none() {
        late.extend(unseen(suite, &reach, &verdicts));
    }
    late.iter().try_for_each(|verdict| report::failure(out, verdict))?;
    verdicts.extend(late);
    Ok(Results { verdicts, coverage, explored: reach.explored, seed: options.seed })
}

/// What the lint says, as a test that failed.
fn of_problem(problem: &Problem) -> Verdict {
    Verdict {
        file: problem.file.clone(),
        line: problem.line,
        script: "lint".to_owned(),
        name: "no problem is found in the text".to_owned(),
        outcome: Outcome::Failed(problem.to_string()),
        took: Duration::ZERO,
    }
}

/// Tests that claim no version that there is.
fn unclaimed(suite: &Suite, records: &[Record]) -> Vec<Verdict> {
    let mut found = Vec::new();
    for (position, file) in suite.files.iter().enumerate() {
        let versions = suite.catalogue.versions(&file.script);
        let Some(record) = records.iter().find(|record| record.job.file == position) else { continue };
        for test in &record.tests {
            if versions.iter().any(|script| test.claim.holds(script.version())) {
                continue;
            }
            let labels: Vec<_> = versions.iter().map(|script| script.label()).collect();
            let what = format!("no version claims this: it asks for {}, there is {}", test.claim, labels.join(", "));
            found.push(Verdict {
                file: file.source.label.clone(),
                line: test.line,
                script: file.script.clone(),
                name: test.name.clone(),
                outcome: Outcome::Failed(what),
                took: Duration::ZERO,
            });
        }
    }
    found
}

/// Effects that a header declares and no test saw. A test that failed may be the one that would have seen it.
fn unseen(suite: &Suite, reach: &Reach, verdicts: &[Verdict]) -> Vec<Verdict> {
    let mut found = Vec::new();
    let has_failed = |label: &str| verdicts.iter().any(|each| each.script == label && each.failure().is_some());
    for script in judged(suite).filter(|script| !has_failed(&script.label())) {
        let seen = reach.effects.get(&script.label());
        let is_seen = |effect: &str| seen.is_some_and(|seen| seen.contains(effect));
        for effect in script.header.effects.iter().filter(|effect| !is_seen(effect)) {
            found.push(Verdict {
                file: script.bundle.label().to_owned(),
                line: 1,
                script: script.label(),
                name: "every declared effect is tested".to_owned(),
                outcome: Outcome::Failed(format!("no test sees the effect `{effect}`")),
                took: Duration::ZERO,
            });
        }
    }
    found
}

/// The versions whose effects and lines the tests have to reach.
fn judged(suite: &Suite) -> impl Iterator<Item = &Arc<Script>> {
    let is_judged = |script: &&Arc<Script>| suite.judged.contains(&(script.name().to_owned(), script.version()));
    suite.catalogue.scripts().filter(is_judged)
}
