//! Runs every test for every version of its script, each in a world of its own, and says how it went.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::rc::Rc;

use thiserror::Error;

use crate::embedded::Reply;
use crate::offline::language::Language;
use crate::offline::link::{Link, Target};
use crate::offline::rollback::{Rollback, Turns, rollbacks};
use crate::offline::search::Coverage;
use crate::offline::store::Store;
use crate::offline::suite::{Suite, TestFile};
use crate::offline::world::{Seen, World};
use crate::script::catalogue::Script;

/// What to run and where.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only tests whose name contains this.
    pub filter: Option<String>,
    /// A server instead of the embedded store.
    pub server: Option<Target>,
    /// Empty the server's database although it holds keys.
    pub flush: bool,
    /// Start of the random numbers that tests draw, and of the orders in which scripts are answered where Redis
    /// leaves them open.
    pub seed: u64,
}

/// Why the run could not go on.
#[derive(Debug, Error)]
pub enum RunError {
    #[error("the server: {0}")]
    Server(#[source] io::Error),
    #[error("the server's database holds {0} keys, which the tests would delete")]
    NotEmpty(i64),
    #[error("cannot write the report: {0}")]
    Report(#[from] io::Error),
}

/// How many tests went how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    /// Tests that set the clock and so say nothing about a server.
    pub embedded_only: usize,
}

enum Outcome {
    Passed,
    Failed(String),
    EmbeddedOnly,
}

/// Runs a suite and writes a report, whose last line has the numbers.
pub fn run(suite: &Suite, options: &Options, report: &mut dyn Write) -> Result<Tally, RunError> {
    if let Some(target) = &options.server {
        check_server(target, options.flush)?;
    }
    let mut runner =
        Runner { suite, options, report, tally: Tally::default(), seen: Seen::new(), explored: Coverage::default() };
    for problem in &suite.problems {
        runner.fail(&problem.to_string(), "lint", "no problem is found in the text")?;
    }
    for file in &suite.files {
        let versions = suite.catalogue.versions(&file.script);
        let passed = versions.iter().map(|script| runner.run_file(file, script)).collect::<Result<Vec<_>, _>>()?;
        for rollback in rollbacks(file, versions) {
            let is_sound = |name: &str| rollback.versions(versions).all(|at| passed[at].contains(name));
            runner.run_turns(file, &rollback, is_sound)?;
        }
    }
    match &options.server {
        // What the last test left would look like somebody's data to the next run.
        Some(target) => Store::server(target).map(drop).map_err(RunError::Server)?,
        None if options.filter.is_none() => runner.check_effects()?,
        None => {}
    }
    runner.summary()
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

struct Runner<'a> {
    suite: &'a Suite,
    options: &'a Options,
    report: &'a mut dyn Write,
    tally: Tally,
    /// Effects of all scripts in all tests.
    seen: Seen,
    /// What explorations covered.
    explored: Coverage,
}

impl Runner<'_> {
    /// Runs the tests of one file for one version of its script, and answers the names of those that passed.
    fn run_file(&mut self, file: &TestFile, script: &Script) -> Result<BTreeSet<String>, RunError> {
        let mut passed = BTreeSet::new();
        let names = match self.names(file, script) {
            Ok(names) => names,
            Err(message) => return self.fail(&message, &script.label(), "cannot be read").map(|()| passed),
        };
        for (index, name) in names.into_iter().enumerate() {
            if self.options.filter.as_ref().is_some_and(|part| !name.contains(part.as_str())) {
                continue;
            }
            match self.run_test(file, script, index, None)? {
                Outcome::Passed => drop(passed.insert(name)),
                Outcome::EmbeddedOnly => self.tally.embedded_only += 1,
                Outcome::Failed(message) => self.fail(&message, &script.label(), &name)?,
            }
        }
        self.tally.passed += passed.len();
        if !passed.is_empty() {
            writeln!(self.report, "ok   {} {}: {} passed", file.label, script.label(), passed.len())?;
        }
        Ok(passed)
    }

    /// Runs those tests of one file that are sound with each version alone, for two versions in turns. They count as
    /// tests only where they fail.
    fn run_turns(
        &mut self,
        file: &TestFile,
        rollback: &Rollback<'_>,
        is_sound: impl Fn(&str) -> bool,
    ) -> Result<(), RunError> {
        let names = self.names(file, rollback.newer).unwrap_or_default();
        let mut passed = 0;
        for (index, name) in names.iter().enumerate().filter(|(_, name)| is_sound(name)) {
            match self.run_test(file, rollback.newer, index, Some(rollback.turns))? {
                Outcome::Failed(message) => self.fail(&rollback.explain(&message), &rollback.label(), name)?,
                Outcome::Passed | Outcome::EmbeddedOnly => passed += 1,
            }
        }
        if passed > 0 {
            writeln!(self.report, "ok   {} {}: {passed} in turns", file.label, rollback.label())?;
        }
        Ok(())
    }

    fn names(&self, file: &TestFile, script: &Script) -> Result<Vec<String>, String> {
        let world = World::new(Store::embedded(self.options.seed), Rc::clone(&self.suite.catalogue), script);
        Language::load(&Rc::new(RefCell::new(world)), &file.label, &file.text, self.options.seed)?.names()
    }

    fn run_test(
        &mut self,
        file: &TestFile,
        script: &Script,
        index: usize,
        turns: Option<Turns>,
    ) -> Result<Outcome, RunError> {
        let store = match &self.options.server {
            None => Store::embedded(self.options.seed),
            Some(target) => Store::server(target).map_err(RunError::Server)?,
        };
        let mut world = World::new(store, Rc::clone(&self.suite.catalogue), script);
        if let Some(turns) = turns {
            world.take_turns(turns);
        }
        let world = Rc::new(RefCell::new(world));
        let language = Language::load(&world, &file.label, &file.text, self.options.seed);
        let outcome = language.and_then(|language| language.run(index));
        let world = world.borrow();
        self.explored = self.explored + world.explored();
        for (label, effects) in world.seen() {
            self.seen.entry(label.clone()).or_default().extend(effects);
        }
        Ok(match outcome {
            _ if world.needs_embedded() => Outcome::EmbeddedOnly,
            Ok(()) => Outcome::Passed,
            Err(message) => Outcome::Failed(message),
        })
    }

    /// Every effect that a header declares has to come up in some test.
    fn check_effects(&mut self) -> Result<(), RunError> {
        let tested: BTreeSet<_> = self.suite.files.iter().map(|file| file.script.as_str()).collect();
        let suite = self.suite;
        for script in suite.catalogue.scripts().filter(|script| tested.contains(script.name())) {
            let seen = self.seen.get(&script.label()).cloned().unwrap_or_default();
            for effect in script.header.effects.iter().filter(|effect| !seen.contains(*effect)) {
                let message = format!("{}:1: no test sees the effect `{effect}`", script.bundle.label());
                self.fail(&message, &script.label(), "every declared effect is tested")?;
            }
        }
        Ok(())
    }

    fn fail(&mut self, message: &str, script: &str, name: &str) -> Result<(), RunError> {
        self.tally.failed += 1;
        let (at, what) = split_place(message);
        writeln!(self.report, "FAIL {at} {script}: {name}\n     {}", what.replace('\n', "\n     "))?;
        Ok(())
    }

    fn summary(self) -> Result<Tally, RunError> {
        let Tally { passed, failed, embedded_only } = self.tally;
        if embedded_only > 0 {
            writeln!(self.report, "{embedded_only} set the clock and run on the embedded store only")?;
        }
        let Coverage { orders, states } = self.explored;
        if states > 0 {
            writeln!(self.report, "explored {orders} orders in {states} states")?;
        }
        if failed > 0 {
            writeln!(self.report, "seed {}", self.options.seed)?;
        }
        writeln!(self.report, "{passed} passed, {failed} failed")?;
        self.report.flush()?;
        Ok(self.tally)
    }
}

/// Splits `lua/login/test.lua:12: it says` into place and text.
fn split_place(message: &str) -> (&str, &str) {
    match message.split_once(": ") {
        Some((place, what)) if !place.contains(' ') => (place, what),
        _ => ("", message),
    }
}
