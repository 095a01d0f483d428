//! A Redis-compatible store in this process, for one machine.
//!
//! One thread owns the keys and the Lua interpreter; it turns an event loop of its own over a unix socket. The rest
//! of the program reaches the store only through that socket, so that it and an external Redis are one code path; the
//! offline test runner uses [`Engine`] directly, with a clock that the test sets. Nothing here knows of sessions.
//!
//! Follow one request: [`server`] reads it, `resp` cuts it into arguments, `engine` checks it against `table`, a
//! function in `command` works on `keyspace` and writes its reply with `reply`. Scripts take the same way from
//! `lua/redis`. What a request changed is in the append-only file (`aof`) before its reply goes out. What is not here (blocking commands, consumer groups, bits, geo, HyperLogLog, SORT, functions, more
//! than one database, replication, eviction) is answered as an unknown command; use an external Redis for it. The
//! whole list is in `COMMANDS.md`; Redis' own tests hold the rest (`tests/upstream.rs`).

pub mod aof;
mod busy;
mod client;
mod clock;
mod command;
mod config;
mod connection;
mod core;
mod digest;
mod engine;
mod event_loop;
mod fault;
mod footprint;
mod glob;
mod hash;
mod keyspace;
mod list;
mod lua;
mod moment;
mod number;
mod packed;
mod pubsub;
mod reply;
mod resp;
mod server;
mod set;
mod shuffle;
mod slot;
mod slowlog;
mod spec;
mod stream;
mod table;
mod value;
mod zset;

pub use clock::EngineClock;
pub use engine::{Engine, EngineOptions};
pub use keyspace::Snapshot;
pub use moment::Moment;
pub use reply::Reply;
pub use server::{Server, ServerError, ServerOptions};
pub use slot::slot_of;
