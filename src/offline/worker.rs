//! Runs jobs: every test in a world of its own, and tells how each went.
//!
//! It works in the process of the runner or in a child of it, which is told its jobs on standard input.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use serde::de::DeserializeOwned;

use crate::offline::language::Language;
use crate::offline::link::Target;
use crate::offline::message::{Event, Job, Outcome, PROTOCOL, Setup, Terms, Test};
use crate::offline::pulse::{Pulse, Sink};
use crate::offline::reach::Reach;
use crate::offline::rollback::Turns;
use crate::offline::store::Store;
use crate::offline::suite::{TestFile, Text};
use crate::offline::world::World;
use crate::script::catalogue::{Catalogue, Script};

/// Somebody who can run the tests of a suite.
pub struct Worker {
    pub catalogue: Rc<Catalogue>,
    pub files: Vec<TestFile>,
    pub terms: Terms,
}

impl Worker {
    /// Runs the tests of one job.
    pub fn run(&self, job: Job, sink: &Sink) {
        let file = self.files.get(job.file);
        let found = file.and_then(|file| Some((file, self.script(&file.script, job.version)?)));
        let Some((file, script)) = found else {
            return sink(Event::Unreadable { message: format!("there is no {job:?}") });
        };
        match self.wanted(file, &script, job, sink) {
            Ok((tests, wanted)) => {
                sink(Event::Listed { tests });
                for index in wanted.into_iter().filter(|index| *index >= job.from) {
                    sink(Event::Started { index });
                    let start = Instant::now();
                    let ended = match job.turns {
                        None => Some(self.run_test(file, &script, index, sink)),
                        Some(turns) => self.run_in_turns(file, &script, index, turns, sink),
                    };
                    // A test that says nothing in turns has no end that anybody would count.
                    if let Some((outcome, reach)) = ended {
                        sink(Event::Ended { outcome, took_us: start.elapsed().as_micros() as u64, reach });
                    }
                }
                sink(Event::Done);
            }
            Err(message) => sink(Event::Unreadable { message }),
        }
    }

    fn script(&self, name: &str, version: u32) -> Option<Arc<Script>> {
        self.catalogue.versions(name).iter().find(|script| script.version() == version).cloned()
    }

    /// All tests of a file, and the positions of those that have to run.
    fn wanted(
        &self,
        file: &TestFile,
        script: &Script,
        job: Job,
        sink: &Sink,
    ) -> Result<(Vec<Test>, Vec<usize>), String> {
        let tests = self.tests(&file.source, script, sink)?;
        let is_claimed = |test: &Test| match job.turns {
            None => test.claim.holds(job.version),
            Some(turns) => test.claim.holds(turns.next) && test.claim.holds(turns.then),
        };
        // A test that is restated for newer versions still holds for the older ones; in turns it says nothing.
        let replaces = |test: &Test| match job.turns {
            None => test.claim.holds(job.version),
            Some(turns) => test.claim.holds(turns.next) || test.claim.holds(turns.then),
        };
        let mut restated = BTreeSet::new();
        for text in &file.replaced_by {
            let tests = self.tests(text, script, sink)?.into_iter();
            restated.extend(tests.filter(replaces).map(|test| test.name));
        }
        let is_wanted = |test: &Test| {
            let is_asked_for = self.terms.filter.as_ref().is_none_or(|part| test.name.contains(part.as_str()));
            is_asked_for && is_claimed(test) && !restated.contains(&test.name)
        };
        let wanted = tests.iter().enumerate().filter(|(_, test)| is_wanted(test)).map(|(index, _)| index).collect();
        Ok((tests, wanted))
    }

    fn tests(&self, source: &Text, script: &Script, sink: &Sink) -> Result<Vec<Test>, String> {
        let world = self.world(Store::embedded(self.terms.seed), script, sink);
        Language::load(&world, &source.label, &source.text, self.terms.seed)?.tests()
    }

    fn world(&self, store: Store, script: &Script, sink: &Sink) -> Rc<RefCell<World>> {
        let world = World::new(store, Rc::clone(&self.catalogue), script).with_pulse(Pulse::new(sink));
        let world = if self.terms.server.is_some() { world.with_trace() } else { world };
        Rc::new(RefCell::new(world))
    }

    /// Runs a test on the embedded store and, where a server is named and the test sets no clock, there too.
    fn run_test(&self, file: &TestFile, script: &Script, index: usize, sink: &Sink) -> (Outcome, Reach) {
        let world = self.world(Store::embedded(self.terms.seed), script, sink);
        let result = self.attempt(&world, &file.source, index);
        let reach = world.borrow_mut().reach();
        let outcome = match (result, &self.terms.server) {
            (Err(message), _) => Outcome::Failed(message),
            (Ok(()), None) => Outcome::Passed,
            (Ok(()), Some(_)) if world.borrow().needs_embedded() => Outcome::EmbeddedOnly,
            (Ok(()), Some(target)) => match self.compare(target, &world, file, script, index, sink) {
                Ok(()) => Outcome::Passed,
                Err(message) => Outcome::Failed(message),
            },
        };
        (outcome, reach)
    }

    /// Runs a test with two versions in turns. It says something only where it passes with each of them alone; what it
    /// reaches is reached by them alone, too.
    fn run_in_turns(
        &self,
        file: &TestFile,
        script: &Script,
        index: usize,
        turns: Turns,
        sink: &Sink,
    ) -> Option<(Outcome, Reach)> {
        let world = self.world(Store::embedded(self.terms.seed), script, sink);
        world.borrow_mut().take_turns(turns);
        let Err(message) = self.attempt(&world, &file.source, index) else {
            return Some((Outcome::Passed, Reach::default()));
        };
        let passes_alone = |version: u32| {
            let Some(script) = self.script(&file.script, version) else { return false };
            let world = self.world(Store::embedded(self.terms.seed), &script, sink);
            self.attempt(&world, &file.source, index).is_ok()
        };
        let is_sound = passes_alone(turns.next) && passes_alone(turns.then);
        is_sound.then(|| (Outcome::Failed(turns.explain(&file.script, &message)), Reach::default()))
    }

    fn attempt(&self, world: &Rc<RefCell<World>>, source: &Text, index: usize) -> Result<(), String> {
        Language::load(world, &source.label, &source.text, self.terms.seed)?.run(index)
    }

    /// Runs a test on a server; it has to pass there, and the server has to do what the embedded store did.
    fn compare(
        &self,
        target: &Target,
        embedded: &Rc<RefCell<World>>,
        file: &TestFile,
        script: &Script,
        index: usize,
        sink: &Sink,
    ) -> Result<(), String> {
        let unreachable = |error: io::Error| format!("the server: {error}");
        let world = self.world(Store::server(target).map_err(unreachable)?, script, sink);
        self.attempt(&world, &file.source, index).map_err(|message| on_server(&message))?;
        let ours = embedded.borrow_mut().trace().map_err(unreachable)?;
        let theirs = world.borrow_mut().trace().map_err(unreachable)?;
        ours.difference(&theirs).map_or(Ok(()), Err)
    }
}

/// Says behind the place of a message that it happened on the server only.
fn on_server(message: &str) -> String {
    match message.split_once(": ") {
        Some((place, what)) => format!("{place}: on the server only: {what}"),
        None => format!("on the server only: {message}"),
    }
}

/// Works for another process: reads a setup and then jobs from standard input, and writes events to standard output,
/// until the input ends.
pub fn serve() -> io::Result<()> {
    let mut input = io::stdin().lock().lines();
    let setup: Setup = parse(&input.next().ok_or(io::ErrorKind::UnexpectedEof)??)?;
    if setup.protocol != PROTOCOL {
        return Err(io::Error::other("the runner is of another version"));
    }
    drop(input);
    let catalogue = Catalogue::from_tree(&setup.tree).map_err(io::Error::other)?;
    let worker = Worker { catalogue: Rc::new(catalogue), files: setup.files, terms: setup.terms };
    let sink: Sink = Rc::new(write);
    sink(Event::Alive);
    for job in jobs() {
        worker.run(job, &sink);
    }
    Ok(())
}

/// The jobs, as they come. The process ends with its input, even amid an operation that nothing can interrupt: without
/// the runner nobody would end it.
fn jobs() -> mpsc::Receiver<Job> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let job = line.and_then(|line| parse(&line));
            if job.is_ok_and(|job| sender.send(job).is_ok()) {
                continue;
            }
            break;
        }
        std::process::exit(0);
    });
    receiver
}

/// Writes an event. Where nobody listens any more there is nothing left to do.
fn write(event: Event) {
    let line = serde_json::to_string(&event).unwrap_or_default();
    let mut output = io::stdout().lock();
    if writeln!(output, "{line}").and_then(|()| output.flush()).is_err() {
        std::process::exit(0);
    }
}

fn parse<T: DeserializeOwned>(line: &str) -> io::Result<T> {
    serde_json::from_str(line).map_err(io::Error::other)
}
