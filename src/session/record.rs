//! What the rest of the node gets to see of a live session: a copy, taken at one moment.

use std::net::SocketAddr;

use crate::id::{Rank, Seat, Sid};

/// A session as the fleet's verify needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRecord {
    pub sid: Sid,
    pub seat: Seat,
    pub rank: Rank,
    /// As scripts take it: 32 hexadecimal digits.
    pub token_digest: String,
    /// Address of the client.
    pub address: SocketAddr,
    /// What the client said it understands, as scripts take it.
    pub features: String,
}
