//! The append-only file: what makes the store durable.
//!
//! Every request that changed something is one *unit*: the effects of its commands (not the script that ran them), in
//! `MULTI`/`EXEC` when there are several, so that after a crash either all of it is there or none. The layout is that
//! of Redis 7 (a manifest, one base file, incremental files), in RESP, so that a Redis starts on our folder and we on
//! its. Beyond Redis each write is preceded by a line with its length and CRC-32, which Redis skips as an annotation:
//! a flipped bit is found at the start instead of being served.
//!
//! Follow a write: a command changes [`keyspace`](super::keyspace) and its effect is noted in `effects`; at the end of
//! the request the unit is closed; at the end of the event loop's pass `journal` writes all units of the pass with
//! one call, syncs them as the policy says, and only then the replies go out. `load` reads it back at the start.
//! `rewrite` makes it short again: a thread of its own reads the files that are no longer written to into a keyspace
//! of its own and writes that down. So the owner of the data never stops for it, and needs no copy-on-write; the price
//! is memory for a second copy while it runs.
//!
//! References: "Redis persistence" (redis.io) for layout and policies; `redis-check-aof` for annotations.

pub mod disk;
mod dump;
pub(super) mod effects;
pub mod folder;
mod frame;
pub(super) mod journal;
pub mod load;
mod manifest;
mod reader;
mod rewrite;
mod syncer;

use std::path::PathBuf;
use std::sync::Arc;

use disk::{Disk, LocalDisk};

/// When what was written is forced to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Before any reply to the request: nothing that was acknowledged is ever lost.
    Always,
    /// Once a second: a crash of the machine may lose the last second; a crash of the process loses nothing.
    #[default]
    Everysec,
    /// When the kernel likes.
    No,
}

impl Fsync {
    /// The policy of a name, as `appendfsync` spells it.
    pub fn named(name: &str) -> Option<Fsync> {
        match name {
            "always" => Some(Fsync::Always),
            "everysec" => Some(Fsync::Everysec),
            "no" => Some(Fsync::No),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Fsync::Always => "always",
            Fsync::Everysec => "everysec",
            Fsync::No => "no",
        }
    }
}

/// Where and how a store keeps its append-only file.
#[derive(Clone, Debug)]
pub struct AppendOnly {
    /// The folder of the manifest and its parts; Redis' `appenddirname`.
    pub folder: PathBuf,
    pub fsync: Fsync,
    /// The files are rewritten when they have grown by so many per cent since the last time; 0 for never.
    pub rewrite_percent: u64,
    /// Smaller files than this are not rewritten by themselves, in bytes.
    pub rewrite_bytes_min: u64,
    pub disk: Arc<dyn Disk>,
}

impl AppendOnly {
    /// The defaults of Redis in a folder of this machine.
    pub fn new(folder: PathBuf) -> AppendOnly {
        AppendOnly {
            folder,
            fsync: Fsync::default(),
            rewrite_percent: 100,
            rewrite_bytes_min: 64 * 1024 * 1024,
            disk: Arc::new(LocalDisk),
        }
    }
}
