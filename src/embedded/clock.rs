//! The clock of the engine: the system's, or one that a test sets.
//!
//! The engine reads it once per command, so that TIME, TTL and expiry agree with each other inside a command and
//! inside a whole script.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where an engine takes the time from.
#[derive(Clone, Debug, Default)]
pub enum EngineClock {
    /// The wall clock of the machine.
    #[default]
    System,
    /// Microseconds since the epoch, set by whoever holds the other end.
    Manual(Rc<Cell<u64>>),
}

impl EngineClock {
    /// Microseconds since the epoch.
    pub fn now_us(&self) -> u64 {
        match self {
            EngineClock::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                since.as_micros() as u64
            }
            EngineClock::Manual(cell) => cell.get(),
        }
    }
}
