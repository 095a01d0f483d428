//! Why a connection ends, and on whose account: it decides who is told, and whether the store knows already.

use crate::reason::Reason;

/// Who ended a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClosedBy {
    /// The client left, or its connection broke.
    Client,
    /// This node, which then has to tell the store.
    Node,
    /// A kick: the store knows already, it said so.
    Kick,
}

/// That a connection ends, why, and on whose account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closing {
    /// `None` where the client left by itself.
    pub reason: Option<Reason>,
    pub by: ClosedBy,
}
