//! What every test here stands on: the real binary, a real store, and a client written from the wire reference alone.
//!
//! Nothing in here uses the crate's own code, so a mistake in a codec cannot hide itself. Children are killed by their
//! handle when a test ends, however it ends.

mod admin;
mod client;
#[allow(dead_code, reason = "each test binary uses a part of it")]
pub mod cluster;
#[allow(dead_code, reason = "each test binary uses a part of it")]
pub mod instance;
mod node;
mod random;
mod resp;
pub mod rules;
#[allow(dead_code, reason = "each test binary uses a part of it")]
pub mod sentinel;
mod store;
mod wait;

pub use client::{Client, Seen, frame};
pub use node::{Ended, Server, Session, Setup, Told};
pub use random::Random;
#[allow(unused_imports, reason = "each test binary uses a part of it")]
pub use resp::Resp;
pub use store::{RedisServer, StoreKind};
pub use wait::{PATIENCE, clock_ms, wait_until};

/// Makes two tests of each function: one on the embedded store, one on a real `redis-server`.
macro_rules! on_both_stores {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn embedded() {
                super::$name($crate::support::StoreKind::Embedded);
            }

            #[test]
            fn redis() {
                super::$name($crate::support::StoreKind::Redis);
            }
        })+
    };
}
pub(crate) use on_both_stores;
