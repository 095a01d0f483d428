//! The offline test runner: runs the `test.lua` files beside the scripts, with no server and no network.
//!
//! Every test gets an engine, a clock and a Lua interpreter of its own, so that tests cannot see each other. The same
//! files run against a real server too, which keeps the engine honest. It never runs inside the server.
//!
//! `search` knows orders and nothing else; `explore` plays them on the store of a test, whose notes `memory` copies;
//! `fleet.lua` plays the nodes. `rollback` lets two versions take turns. `lint` judges what `usage` finds in the
//! `bytecode` of scripts, without running them.

mod bytecode;
mod explore;
mod language;
pub mod link;
pub mod lint;
mod memory;
mod rollback;
pub mod runner;
mod search;
mod store;
pub mod suite;
mod table;
mod usage;
mod world;

pub use link::Target;
pub use runner::{Options, RunError, Tally};
pub use suite::{Suite, SuiteError};
