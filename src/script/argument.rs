//! The one table of script arguments. A header names them, a call gives them by name, ARGV has them in the header's order.

use std::borrow::Cow;

macro_rules! arguments {
    ($($(#[doc = $doc:literal])* $variant:ident = $word:literal),+ $(,)?) => {
        /// An argument that a script may declare with `@arg`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Argument { $($(#[doc = $doc])* $variant),+ }

        impl Argument {
            /// Every argument, in the order of `lua/README.md`.
            pub const ALL: &[Argument] = &[$(Argument::$variant),+];

            /// The word of the header.
            pub const fn word(self) -> &'static str {
                match self { $(Argument::$variant => $word),+ }
            }
        }
    };
}

arguments! {
    /// Name of the node that the call speaks of, mostly the caller's.
    Node = "node",
    /// Incarnation of that node.
    Incarnation = "incarnation",
    /// The session.
    Sid = "sid",
    /// The user, as text.
    Uid = "uid",
    /// The device class; empty where the script finds it out or means all.
    Class = "class",
    /// Epoch that the session was given.
    Epoch = "epoch",
    /// Number of the ticket that the session logged in with.
    Number = "number",
    /// First 128 bits of the SHA-256 of the token, as 32 hexadecimal digits.
    TokenDigest = "token_digest",
    /// Redis' clock in milliseconds past which a claiming script refuses.
    NotAfter = "not_after",
    /// Address of the client, or of the node in the directory's scripts.
    Address = "address",
    /// `takeover` or `deny`.
    Policy = "policy",
    /// What the name of a node is appended to, to make its channel.
    ChannelPrefix = "channel_prefix",
    /// Milliseconds between two heartbeats, told to the client.
    IntervalMs = "interval_ms",
    /// Milliseconds of silence that end a session, told to the client.
    LimitMs = "limit_ms",
    /// Milliseconds for which a ticket is good while its seat is empty.
    TtlMs = "ttl_ms",
    /// Events kept per seat; 0 keeps none.
    TrailMax = "trail_max",
    /// Name of the script that answers a login instead of `login` itself; may be empty.
    Welcome = "welcome",
    /// Name and version of the script that runs, as `login@1`.
    Version = "version",
    /// Why a session ends.
    Reason = "reason",
    /// A sentence of the operator for the client and the trail.
    Note = "note",
    /// Where a listing goes on; empty at its start.
    Cursor = "cursor",
    /// Most entries of one page.
    PageMax = "page_max",
    /// Who runs the node: the identity of its data folder.
    Owner = "owner",
    /// Sessions that the node is willing to hold.
    Capacity = "capacity",
    /// Sessions that the node holds, summed over its shards; of `assign`, how many newcomers there are.
    Count = "count",
    /// Milliseconds for which a sign of life is good.
    LeaseMs = "lease_ms",
    /// `1` to take a node's name although its lease still runs.
    Takeover = "takeover",
    /// Number of shards that the users are spread over.
    Shards = "shards",
    /// Identity that an empty store is given.
    Store = "store",
    /// A body of the wire or of an internal call, as JSON text.
    Body = "body",
    /// Name of the script that the operator speaks of.
    Script = "script",
    /// Its version.
    ScriptVersion = "script_version",
    /// SHA-1 of the text of a script, as 40 hexadecimal digits.
    Digest = "digest",
    /// The text of a script with its files and tests, as JSON.
    Source = "source",
    /// Who asks, for the history.
    Who = "who",
    /// `1` for a node that gives its own built-in version.
    Builtin = "builtin",
    /// Channel on which every node hears that other versions are active.
    Channel = "channel",
    /// Share of the users in per cent; empty for all.
    Percent = "percent",
    /// Revision of the active versions that a node runs.
    Revision = "revision",
    /// Why a node cannot follow the fleet's versions; empty when it does.
    Trouble = "trouble",
    /// Share of the newcomers that a node takes, beside its capacity; 100 is the usual one.
    Weight = "weight",
    /// Where a node stands, or where a newcomer wants to be; empty for anywhere.
    Zone = "zone",
    /// Sessions newly seated on the node since its last beat that was answered.
    Arrivals = "arrivals",
    /// Milliseconds for which a ticket that was handed out keeps a place on its node.
    ReserveMs = "reserve_ms",
    /// `1` for a node that is to be emptied; empty for one that takes newcomers.
    Draining = "draining",
    /// Milliseconds over which a drain spreads the goodbyes.
    OverMs = "over_ms",
    /// The other user of the call: whom a request is about, or, on that one's shard, who made it.
    Peer = "peer",
    /// What the client said it understands, as words with commas between: `ack`, `batch`.
    Features = "features",
    /// When two users agreed to be friends, in Redis' milliseconds: the number of their friendship.
    Since = "since",
    /// Largest body of a frame, in bytes.
    BodyMax = "body_max",
    /// Friends that a user may have.
    FriendsMax = "friends_max",
    /// Applications that may be open to one user.
    AppliesMax = "applies_max",
    /// Applications that a user may make in a day.
    AppliesPerDay = "applies_per_day",
    /// Who may send texts: `friends` or `anyone`.
    Senders = "senders",
    /// Largest content of one text, in bytes.
    TextMax = "text_max",
    /// Messages that an inbox may hold.
    InboxMax = "inbox_max",
    /// Bytes of all messages that an inbox may hold.
    InboxBytesMax = "inbox_bytes_max",
    /// Milliseconds for which a message waits in an inbox.
    InboxTtlMs = "inbox_ttl_ms",
    /// What happens to a message for a full inbox: `refuse` it, or `drop` the oldest.
    InboxFull = "inbox_full",
    /// Milliseconds for which a message is known by its id, so that it is not accepted again.
    DedupMs = "dedup_ms",
    /// Milliseconds that a user may be away before friends are told.
    GraceMs = "grace_ms",
    /// Events of seats that are kept per shard; 0 keeps none.
    EventsMax = "events_max",
}

impl Argument {
    /// Reads the word of a header.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|argument| argument.word() == word)
    }
}

/// The arguments of one call, by name. What a header declares and nobody gave is sent as an empty text.
#[derive(Clone, Debug, Default)]
pub struct Arguments<'a> {
    given: Vec<(Argument, Cow<'a, str>)>,
}

impl<'a> Arguments<'a> {
    /// No argument yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces one.
    #[must_use]
    pub fn with(mut self, argument: Argument, value: impl Into<Cow<'a, str>>) -> Self {
        self.set(argument, value);
        self
    }

    /// Adds or replaces one.
    pub fn set(&mut self, argument: Argument, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        match self.given.iter_mut().find(|(name, _)| *name == argument) {
            Some(slot) => slot.1 = value,
            None => self.given.push((argument, value)),
        }
    }

    /// What was given for one.
    pub fn get(&self, argument: Argument) -> Option<&str> {
        self.given.iter().find(|(name, _)| *name == argument).map(|(_, value)| value.as_ref())
    }
}
