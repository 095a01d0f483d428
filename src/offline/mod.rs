//! The offline test runner: runs the `test.lua` files beside the scripts, with no server and no network.
//!
//! Every test gets an engine, a clock and a Lua interpreter of its own, so that tests cannot see each other. The same
//! files run against a real server too, which keeps the engine honest. It never runs inside the server.
//!
//! Follow one run: [`suite`] finds files and versions, [`runner`] makes jobs of them, [`pool`] has them done by workers
//! in this process or in children, a `worker` runs each test in a `world` with the words of `language`, and what it
//! tells becomes `record`s, verdicts, [`coverage`] and reports.
//!
//! `search` knows orders and nothing else; `explore` plays them on the store of a test, whose notes `memory` copies;
//! `fleet.lua` plays the nodes. `rollback` lets two versions take turns. `lint` judges what `usage` finds in the
//! `bytecode` of scripts, without running them.

mod bytecode;
mod child;
mod chunk;
mod claim;
pub mod coverage;
pub mod document;
mod explore;
pub mod junit;
mod language;
pub mod link;
pub mod lint;
mod memory;
pub mod message;
pub mod place;
pub mod pool;
mod pulse;
mod reach;
pub mod record;
pub mod report;
mod rollback;
pub mod runner;
mod search;
mod store;
pub mod suite;
mod table;
mod trace;
mod usage;
pub mod verdict;
pub mod worker;
mod world;

pub use link::Target;
pub use pool::Executor;
pub use runner::{Options, Results, RunError, Tally};
pub use suite::{Suite, SuiteError};
