//! What the runner and those who run tests for it say to each other, one JSON text a line between processes.
//!
//! It is internal: both ends are the same program, which the number of the protocol makes sure of.

use serde::{Deserialize, Serialize};

use crate::offline::claim::Claim;
use crate::offline::link::Target;
use crate::offline::reach::Reach;
use crate::offline::rollback::Turns;
use crate::offline::suite::TestFile;
use crate::script::tree::Tree;

/// Grows with every change of what follows.
pub const PROTOCOL: u32 = 1;

/// What a worker has to know before its first job.
#[derive(Debug, Serialize, Deserialize)]
pub struct Setup {
    pub protocol: u32,
    pub tree: Tree,
    pub files: Vec<TestFile>,
    pub terms: Terms,
}

/// How tests are run, whichever they are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Terms {
    /// Only tests whose name contains this.
    pub filter: Option<String>,
    /// Start of the random numbers that tests draw.
    pub seed: u64,
    /// A server on which each test runs too.
    pub server: Option<Target>,
}

/// The tests of one file for one version of its script.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Position of the file in the suite.
    pub file: usize,
    pub version: u32,
    /// Another version that takes turns with it.
    pub turns: Option<Turns>,
    /// Tests before this position are left out: they have run.
    pub from: usize,
}

/// One test of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Test {
    /// Its own name behind those of the groups around it.
    pub name: String,
    /// Line of the file where it begins.
    pub line: usize,
    pub claim: Claim,
}

/// How a test went.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    /// It set the clock, and so passed on the embedded store and says nothing about the server.
    EmbeddedOnly,
    /// What went wrong, behind `file:line: ` where that is known.
    Failed(String),
}

/// What a worker tells while it works on a job, in this order: `Unreadable`, or `Listed`, tests, `Done`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The file cannot be read; the job is over.
    Unreadable { message: String },
    /// All tests of the file, in its order.
    Listed { tests: Vec<Test> },
    /// A test begins.
    Started { index: usize },
    /// Something still moves.
    Alive,
    /// The test that began has ended.
    Ended { outcome: Outcome, took_us: u64, reach: Reach },
    /// The job is over.
    Done,
}
