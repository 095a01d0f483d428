//! The offline test runner: runs the `test.lua` files beside the scripts, with no server and no network.
//!
//! Every test gets an engine, a clock and a Lua interpreter of its own, so that tests cannot see each other. The same
//! files run against a real server too, which keeps the engine honest. It never runs inside the server.

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
