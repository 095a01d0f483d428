//! What came of one job so far: its events, put together to verdicts.

use std::time::Duration;

use crate::offline::message::{Event, Job, Outcome, Test};
use crate::offline::reach::Reach;
use crate::offline::verdict::Verdict;

/// The tests of one file for one version of its script.
#[derive(Debug)]
pub struct Record {
    /// What is left to do, while it is not over.
    pub job: Job,
    /// The file as people know it.
    pub file: String,
    /// The version that runs, as `login@1`.
    pub script: String,
    /// All tests of the file; empty until they are known.
    pub tests: Vec<Test>,
    pub verdicts: Vec<Verdict>,
    pub reach: Reach,
    /// Tests that passed with two versions in turns.
    pub in_turns: usize,
    /// Position of the test that runs.
    running: Option<usize>,
    over: bool,
}

impl Record {
    /// Nothing has run yet.
    pub fn new(job: Job, file: String, script: String) -> Self {
        let (tests, verdicts) = (Vec::new(), Vec::new());
        Self { job, file, script, tests, verdicts, reach: Reach::default(), in_turns: 0, running: None, over: false }
    }

    /// Whether there is nothing more to do.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Name of the test that runs.
    pub fn running(&self) -> Option<&str> {
        self.running.and_then(|index| self.tests.get(index)).map(|test| test.name.as_str())
    }

    /// Takes note of an event.
    pub fn take(&mut self, event: Event) {
        match event {
            Event::Unreadable { message } => self.give_up(message),
            Event::Listed { tests } => self.tests = tests,
            Event::Started { index } => {
                self.running = Some(index);
                self.job.from = index + 1;
            }
            Event::Alive => {}
            Event::Ended { outcome, took_us, reach } => {
                self.reach.add(reach);
                self.judge(outcome, Duration::from_micros(took_us));
            }
            Event::Done => self.over = true,
        }
    }

    /// Takes note that the worker ended, or was ended, before the job was over. The test that ran has failed and the
    /// rest is left to do; where none ran, the rest would end in the same way, so it is given up.
    pub fn interrupt(&mut self, why: String) {
        if self.running.is_some() {
            self.judge(Outcome::Failed(why), Duration::ZERO);
        } else {
            self.give_up(why);
        }
    }

    fn judge(&mut self, outcome: Outcome, took: Duration) {
        let Some(test) = self.running.take().and_then(|index| self.tests.get(index)) else { return };
        if self.job.turns.is_some() && outcome == Outcome::Passed {
            // It is no test of its own, as long as nothing is wrong.
            self.in_turns += 1;
            return;
        }
        let (line, name) = (test.line, test.name.clone());
        self.verdicts.push(Verdict { line, name, outcome, took, ..self.blank() });
    }

    fn give_up(&mut self, why: String) {
        self.over = true;
        let name = "cannot be read".to_owned();
        self.verdicts.push(Verdict { name, outcome: Outcome::Failed(why), ..self.blank() });
    }

    fn blank(&self) -> Verdict {
        Verdict {
            file: self.file.clone(),
            line: 0,
            script: self.script.clone(),
            name: String::new(),
            outcome: Outcome::Passed,
            took: Duration::ZERO,
        }
    }
}
