//! What the engine knows of a command before it runs it: arity, flags, where its keys stand, who carries it out.

use super::client::ClientId;
use super::core::Core;
use super::engine::Engine;
use super::fault::Fault;
use super::number::parse_i64;
use super::reply::Output;

/// Flags of commands, named as COMMAND INFO names them.
pub mod flag {
    pub const WRITE: u16 = 1;
    pub const READONLY: u16 = 1 << 1;
    pub const DENYOOM: u16 = 1 << 2;
    pub const ADMIN: u16 = 1 << 3;
    pub const PUBSUB: u16 = 1 << 4;
    pub const NOSCRIPT: u16 = 1 << 5;
    pub const FAST: u16 = 1 << 6;
    pub const NO_MULTI: u16 = 1 << 7;
    /// Answered although a long script is running.
    pub const ALLOW_BUSY: u16 = 1 << 8;
    /// Counts as writing for read-only scripts, although it changes no key.
    pub const MAY_REPLICATE: u16 = 1 << 9;
    /// Runs at once inside a transaction instead of being queued.
    pub const UNQUEUED: u16 = 1 << 10;
    /// Allowed to a RESP2 client that has subscribed.
    pub const WHILE_SUBSCRIBED: u16 = 1 << 11;

    /// Names of the flags that clients may see.
    pub const NAMES: &[(u16, &str)] = &[
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENYOOM, "denyoom"),
        (ADMIN, "admin"),
        (PUBSUB, "pubsub"),
        (NOSCRIPT, "noscript"),
        (FAST, "fast"),
        (NO_MULTI, "no_multi"),
        (ALLOW_BUSY, "allow_busy"),
        (MAY_REPLICATE, "may_replicate"),
    ];
}

/// Where the keys of a command stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    None,
    /// First, last (negative from the end) and step.
    Range(i32, i32, i32),
    /// A number of keys at this position, the keys behind it; and whether the first argument is a key, too.
    Counted(usize, bool),
    /// Behind the word STREAMS, the first half of what follows.
    Streams,
}

/// Groups of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Connection,
    Generic,
    Hash,
    List,
    Pubsub,
    Scripting,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Family {
    /// The group's name in COMMAND DOCS.
    pub fn name(self) -> &'static str {
        match self {
            Family::Connection => "connection",
            Family::Generic => "generic",
            Family::Hash => "hash",
            Family::List => "list",
            Family::Pubsub => "pubsub",
            Family::Scripting => "scripting",
            Family::Server => "server",
            Family::Set => "set",
            Family::SortedSet => "sorted-set",
            Family::Stream => "stream",
            Family::String => "string",
            Family::Transactions => "transactions",
        }
    }
}

/// The state that a command works on and the reply that it writes.
pub struct Call<'a> {
    pub core: &'a mut Core,
    pub out: &'a mut Output,
}

/// How a command ended; an error replaces whatever it had written.
pub type Outcome = Result<(), Fault>;

/// A command that works on the state alone.
pub type PlainCommand = fn(&mut Call<'_>, &[&[u8]]) -> Outcome;

/// A command that runs other commands or scripts.
pub type EngineCommand = fn(&Engine, ClientId, &[&[u8]], &mut Output) -> Outcome;

/// Who carries out a command.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Works on the state alone.
    Plain(PlainCommand),
    /// Runs other commands or scripts, so it borrows the state itself.
    Engine(EngineCommand),
    /// Has subcommands, and perhaps something to do without one.
    Container(Option<PlainCommand>),
}

/// A row of the command table.
pub struct Spec {
    /// Lower case; a subcommand is `container|name`.
    pub name: &'static str,
    /// Number of arguments with the name; negative for a minimum.
    pub arity: i32,
    pub flags: u16,
    pub keys: Keys,
    pub family: Family,
    pub handler: Handler,
}

impl Spec {
    pub fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub fn accepts(&self, count: usize) -> bool {
        let count = count as i32;
        if self.arity < 0 { count >= -self.arity } else { count == self.arity }
    }

    /// Positions of the keys among the arguments.
    pub fn key_positions(&self, args: &[&[u8]]) -> Vec<usize> {
        let count = args.len();
        match self.keys {
            Keys::None => Vec::new(),
            Keys::Range(first, last, step) => {
                let last = if last < 0 { count as i32 + last } else { last };
                (first..=last.min(count as i32 - 1)).step_by(step.max(1) as usize).map(|at| at as usize).collect()
            }
            Keys::Counted(at, destination) => {
                let number = args.get(at).and_then(|arg| parse_i64(arg)).unwrap_or(0).max(0) as usize;
                let keys = at + 1..(at + 1).saturating_add(number).min(count);
                destination.then_some(1).into_iter().chain(keys).collect()
            }
            Keys::Streams => {
                let word = args.iter().position(|arg| arg.eq_ignore_ascii_case(b"streams"));
                let Some(first) = word.map(|at| at + 1) else {
                    return Vec::new();
                };
                (first..first + (count - first) / 2).collect()
            }
        }
    }
}
