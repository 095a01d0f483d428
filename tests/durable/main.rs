//! The append-only file: crashes, damage, full disks, interchange with a real Redis.
//!
//! Killing a process does not lose what the kernel holds, so most of these put a disk below the store that forgets
//! what was not synced. `ONESEAT_SEED=N` runs one seed only, which a failing run prints; `ONESEAT_RUNS` sets how many
//! seeds are tried.

#[path = "../embedded/client.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod client;
mod crash;
mod damage;
#[path = "../model/dice.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod dice;
mod disk;
mod interchange;
mod process;
mod random;
mod rewrite;
mod store;
mod tool;
mod trouble;
