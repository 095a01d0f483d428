//! What the engine knows of one client: its protocol, its transaction, its subscriptions and its outbox.
//!
//! A client is a record, not a socket: connections of the server, the in-process caller and scripts all have one.

use indexmap::IndexSet;

use super::reply::Output;

/// Identity of a client; never used twice.
pub type ClientId = u64;

/// The in-process caller.
pub const LOCAL: ClientId = 0;

/// A transaction being put together.
#[derive(Debug, Default)]
pub struct Transaction {
    pub queue: Vec<Vec<Vec<u8>>>,
    /// A queued command was refused, so EXEC will be, too.
    pub aborted: bool,
    /// One of the commands may need memory.
    pub deny_oom: bool,
}

/// Which replies a client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    #[default]
    On,
    Off,
    /// The next reply is skipped.
    SkipNext,
    /// The reply of the command being run is skipped.
    Skip,
}

/// A client's state.
#[derive(Debug, Default)]
pub struct Client {
    pub id: ClientId,
    pub name: Vec<u8>,
    pub library: (Vec<u8>, Vec<u8>),
    pub resp3: bool,
    pub transaction: Option<Transaction>,
    pub watching: Vec<Box<[u8]>>,
    pub channels: IndexSet<Vec<u8>>,
    pub patterns: IndexSet<Vec<u8>>,
    pub shard_channels: IndexSet<Vec<u8>>,
    pub reply_mode: ReplyMode,
    /// Bytes to be sent.
    pub outbox: Output,
    /// The place in the append-only file's history that must be settled before the outbox is sent.
    pub held_until: u64,
    /// The connection ends once the outbox is sent.
    pub closing: bool,
    /// Microseconds since the epoch.
    pub connected_us: u64,
    pub last_seen_us: u64,
    pub last_command: &'static str,
}

impl Client {
    pub fn new(id: ClientId, now_us: u64) -> Client {
        Client { id, connected_us: now_us, last_seen_us: now_us, last_command: "NULL", ..Client::default() }
    }

    /// Channels and patterns together, as subscription replies count them.
    pub fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// Whether a RESP2 client is confined to subscription commands.
    pub fn confined(&self) -> bool {
        !self.resp3 && self.subscriptions() + self.shard_channels.len() > 0
    }
}
