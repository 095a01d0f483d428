//! How long silence is borne, and what a look at a connection says about it.

use crate::reason::Reason;

/// How long a connection may be silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// From acceptance to the login.
    pub login_timeout_ms: u64,
    /// From one whole frame to the next.
    pub limit_ms: u64,
}

/// What a look at a connection says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// It is closing; no further look is needed.
    Done,
    /// It is fine; the next look is due then.
    Again { at_ms: u64 },
    /// It was silent for too long.
    Over(Reason),
}
