//! Many nodes on one store, broken in every manner, and a checker that sees only what clients and the store show.
//!
//! Every scenario is seeded and prints its seed; `ONESEAT_SEED=N` runs it again, `ONESEAT_FLEET_LONG=1` runs the long
//! forms. What clients see is written down in a `history` and held against the guarantees by the `checker`; what the
//! store holds when nothing happens any more is held against the live clients by `rest`.

#[path = "../serve/support/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "each test binary uses a part of it")]
mod support;

mod board;
mod checker;
mod crowd;
mod device;
mod forged;
mod history;
mod proxy;
mod rest;
mod stand;

mod chaos;
mod clock;
mod death;
mod outage;
mod partition;
mod storm;
mod topology;
