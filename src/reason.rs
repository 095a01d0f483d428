//! Why a connection ends: one set of words for the wire, the logs, the metric labels and the admin API.

use std::fmt;

/// Why a connection was closed by this side, or its session ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Reason {
    /// Another login took the seat.
    Displaced,
    /// The same ticket came back on a newer connection.
    Resumed,
    /// An operator or the backend ended the session.
    Kicked,
    /// Nothing was heard for longer than the heartbeat limit.
    Expired,
    /// No login within the deadline, or too many failed ones.
    AuthTimeout,
    /// The bytes cannot be served: over the limits before login.
    Protocol,
    /// The client does not read what it is sent.
    Slow,
    /// The node stops.
    Shutdown,
    /// The node is being emptied.
    Drained,
    /// The node lost its lease and may not serve on.
    Fenced,
    /// A fault of this side; trying again may help.
    Internal,
}

impl Reason {
    /// Every reason, for tables and metrics.
    pub const ALL: [Reason; 11] = [
        Reason::Displaced,
        Reason::Resumed,
        Reason::Kicked,
        Reason::Expired,
        Reason::AuthTimeout,
        Reason::Protocol,
        Reason::Slow,
        Reason::Shutdown,
        Reason::Drained,
        Reason::Fenced,
        Reason::Internal,
    ];

    /// The word on the wire, in logs and in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Displaced => "displaced",
            Reason::Resumed => "resumed",
            Reason::Kicked => "kicked",
            Reason::Expired => "expired",
            Reason::AuthTimeout => "auth_timeout",
            Reason::Protocol => "protocol",
            Reason::Slow => "slow",
            Reason::Shutdown => "shutdown",
            Reason::Drained => "drained",
            Reason::Fenced => "fenced",
            Reason::Internal => "internal",
        }
    }

    /// Reads the word that a script gave.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
