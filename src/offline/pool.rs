//! Has jobs done: in this process one after the other, or by children of it, several at once.
//!
//! A child that gives no sign for too long is ended, one that ends by itself is replaced; either way the test that it
//! ran has failed and the next one begins in a new child. So nothing that a test does stops the run.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::offline::child::{Child, Silence};
use crate::offline::message::Event;
use crate::offline::pulse::Sink;
use crate::offline::record::Record;
use crate::offline::worker::Worker;

/// The end of the paths of files whose tests take long.
const LONG_FILES: &str = "/explore.lua";

/// Who runs the tests.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Executor {
    /// This process, one test after the other. An operation that nothing can interrupt is waited for.
    #[default]
    InProcess,
    /// Processes of a program that is this one, so many at once, each with a watchdog.
    Children { program: PathBuf, at_once: usize },
}

impl Executor {
    /// Children of this program, as many at once as the machine has cores. Only for a process that is `oneseat` itself.
    pub fn children() -> io::Result<Self> {
        let at_once = std::thread::available_parallelism().map_or(1, Into::into);
        Ok(Self::Children { program: std::env::current_exe()?, at_once })
    }
}

/// What is heard while jobs are done.
#[derive(Debug)]
pub enum Note {
    /// A test begins.
    Started { script: String, test: String },
    /// The job at this position is over.
    Finished(usize, Record),
}

/// Runs all jobs in this process.
pub fn run_here(worker: &Worker, records: Vec<Record>, hear: &mut dyn FnMut(Note) -> io::Result<()>) -> io::Result<()> {
    for (index, record) in records.into_iter().enumerate() {
        let job = record.job;
        let shared = Rc::new(RefCell::new(record));
        let sink: Sink = {
            let shared = Rc::clone(&shared);
            Rc::new(move |event| shared.borrow_mut().take(event))
        };
        worker.run(job, &sink);
        let record = shared.replace(Record::new(job, String::new(), String::new()));
        hear(Note::Finished(index, record))?;
    }
    Ok(())
}

/// The children and what they need to know.
pub struct Crew<'a> {
    pub program: &'a Path,
    pub at_once: usize,
    /// The line that a child reads first.
    pub setup: &'a str,
    /// Longest time without a sign.
    pub silence_max: Duration,
}

/// The jobs that nobody has begun yet, each with its position.
type Queue = Mutex<VecDeque<(usize, Record)>>;

impl Crew<'_> {
    /// Runs all jobs in children. They may finish in any order.
    pub fn run(&self, records: Vec<Record>, hear: &mut dyn FnMut(Note) -> io::Result<()>) -> io::Result<()> {
        let count = self.at_once.clamp(1, records.len().max(1));
        // Explorations take longest; begun last they would be waited for by all others.
        let (mut jobs, others): (VecDeque<_>, VecDeque<_>) =
            records.into_iter().enumerate().partition(|(_, record)| record.file.ends_with(LONG_FILES));
        jobs.extend(others);
        let queue = Mutex::new(jobs);
        std::thread::scope(|scope| {
            let (sender, notes) = mpsc::channel();
            for _ in 0..count {
                let (queue, sender) = (&queue, sender.clone());
                scope.spawn(move || {
                    if let Err(error) = self.work(queue, &sender) {
                        // Nobody listens where another one has failed before.
                        let _ = sender.send(Err(error));
                    }
                });
            }
            drop(sender);
            let outcome = notes.iter().try_for_each(|note| note.and_then(&mut *hear));
            // Where it ended early nothing more is begun.
            lock(&queue).clear();
            outcome
        })
    }

    fn work(&self, queue: &Queue, notes: &Sender<io::Result<Note>>) -> io::Result<()> {
        let mut child = None;
        loop {
            let next = lock(queue).pop_front();
            let Some((index, mut record)) = next else { return Ok(()) };
            while !record.is_over() {
                let mut runs = match child.take() {
                    Some(child) => child,
                    None => Child::start(self.program, self.setup)?,
                };
                match self.conduct(&mut runs, &mut record, notes) {
                    Ok(()) => child = Some(runs),
                    Err(silence) => record.interrupt(self.reason(&silence, runs.end()?)),
                }
            }
            if notes.send(Ok(Note::Finished(index, record))).is_err() {
                return Ok(());
            }
        }
    }

    /// Has a child do what is left of a job.
    fn conduct(&self, child: &mut Child, record: &mut Record, notes: &Sender<io::Result<Note>>) -> Result<(), Silence> {
        child.ask(record.job).map_err(|_| Silence::Dead)?;
        while !record.is_over() {
            let event = child.next(self.silence_max)?;
            let is_start = matches!(event, Event::Started { .. });
            record.take(event);
            if let (true, Some(test)) = (is_start, record.running()) {
                let note = Note::Started { script: record.script.clone(), test: test.to_owned() };
                // The end of the job finds out where nobody listens.
                let _ = notes.send(Ok(note));
            }
        }
        Ok(())
    }

    fn reason(&self, silence: &Silence, status: ExitStatus) -> String {
        match silence {
            Silence::Long => format!(
                "did not end within {} s; a single pattern or string operation cannot be interrupted",
                self.silence_max.as_secs_f64()
            ),
            Silence::Dead => format!("the process that ran it died: {status}"),
        }
    }
}

fn lock(queue: &Queue) -> MutexGuard<'_, VecDeque<(usize, Record)>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
