//! The one table of Redis keys. Scripts declare them by these words; nothing else in the project spells a key.

use crate::id::Uid;

/// A slice of all users whose keys share one hash tag, hence one cluster slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Shard(pub u16);

impl Shard {
    /// The shard of a user: CRC16 of the uid as Redis Cluster computes it, modulo the number of shards.
    pub fn of(uid: &Uid, shards: u16) -> Self {
        Self(crc16(uid.as_str().as_bytes()) % shards)
    }
}

/// A key that a script may declare with `@key`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Key {
    /// Who holds the seats of a user.
    Seat,
    /// The tickets of a user, by class.
    Ticket,
    /// All sessions of a shard, ordered by node.
    Roster,
    /// The last few events of a user's seats.
    Trail,
    /// The profile of a user.
    User,
    /// What a user has agreed with others: friends, blocked users, and halves that are not settled yet.
    Friends,
    /// Applications to a user that are open.
    Applies,
    /// Messages that a user has not got yet, in order.
    Inbox,
    /// How far the sessions of a user have got in the inbox.
    Delivery,
    /// Messages that a user was sent lately, so that none is accepted twice.
    Seen,
    /// With whom a user talked, and when.
    Talks,
    /// Whose a name is; lies on the shard of the name.
    Name,
    /// Users of a shard of whom something has yet to be told: that they came or went, or who of their friends is there.
    Presence,
    /// What happened to the seats of a shard, for backends.
    Events,
    /// The nodes and what they last said of themselves.
    Nodes,
    /// Until when each node is believed to live.
    Leases,
    /// Schema version, number of shards, identity of the store.
    Meta,
    /// Which version of each script is active, and the revision of all that.
    Scripts,
    /// What is known of each version of a script.
    Releases,
    /// The text of each version of a script.
    Sources,
    /// Who changed what the fleet runs.
    History,
    /// What each node counted of its scripts.
    Stats,
}

impl Key {
    /// Every key, in the order of `lua/README.md`.
    pub const ALL: [Key; 22] = [
        Key::Seat,
        Key::Ticket,
        Key::Roster,
        Key::Trail,
        Key::User,
        Key::Friends,
        Key::Applies,
        Key::Inbox,
        Key::Delivery,
        Key::Seen,
        Key::Talks,
        Key::Name,
        Key::Presence,
        Key::Events,
        Key::Nodes,
        Key::Leases,
        Key::Meta,
        Key::Scripts,
        Key::Releases,
        Key::Sources,
        Key::History,
        Key::Stats,
    ];

    /// The word of the header.
    pub const fn word(self) -> &'static str {
        match self {
            Key::Seat => "seat",
            Key::Ticket => "ticket",
            Key::Roster => "roster",
            Key::Trail => "trail",
            Key::User => "user",
            Key::Friends => "friends",
            Key::Applies => "applies",
            Key::Inbox => "inbox",
            Key::Delivery => "delivery",
            Key::Seen => "seen",
            Key::Talks => "talks",
            Key::Name => "name",
            Key::Presence => "presence",
            Key::Events => "events",
            Key::Nodes => "nodes",
            Key::Leases => "leases",
            Key::Meta => "meta",
            Key::Scripts => "scripts",
            Key::Releases => "releases",
            Key::Sources => "sources",
            Key::History => "history",
            Key::Stats => "stats",
        }
    }

    /// The Redis type that the header must declare.
    pub const fn kind(self) -> &'static str {
        match self {
            Key::Roster | Key::Leases | Key::Seen | Key::Presence => "zset",
            Key::Trail | Key::History | Key::Inbox => "list",
            Key::Name => "string",
            Key::Events => "stream",
            _ => "hash",
        }
    }

    /// Reads the word of a header.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.word() == word)
    }

    /// Whether the key belongs to one user, or to one name, which then stands in the place of the uid; a call that uses it
    /// has to say which.
    pub const fn of_user(self) -> bool {
        matches!(
            self,
            Key::Seat
                | Key::Ticket
                | Key::Trail
                | Key::User
                | Key::Friends
                | Key::Applies
                | Key::Inbox
                | Key::Delivery
                | Key::Seen
                | Key::Talks
                | Key::Name
        )
    }

    /// Whether the key belongs to all users of a shard together.
    pub const fn of_shard(self) -> bool {
        matches!(self, Key::Roster | Key::Presence | Key::Events)
    }

    /// Whether the key lies on the directory's shard instead of a user's.
    pub const fn of_directory(self) -> bool {
        !self.of_user() && !self.of_shard()
    }

    /// Reads the name of a key in Redis: which key, and whose. Keys that belong to nobody have an empty uid.
    pub fn read(name: &str) -> Option<(Self, &str)> {
        let (tag, rest) = name.strip_prefix("os:{")?.split_once("}:")?;
        let (word, uid) = rest.split_once(':').unwrap_or((rest, ""));
        let key = Self::parse(word)?;
        let tag_fits = if key.of_directory() { tag == "dir" } else { tag.parse::<u16>().is_ok() };
        (tag_fits && key.of_user() != uid.is_empty()).then_some((key, uid))
    }

    /// The name in Redis. `uid` is used by the keys of a user only.
    pub fn name(self, shard: Shard, uid: &str) -> String {
        let word = self.word();
        if self.of_directory() {
            format!("os:{{dir}}:{word}")
        } else if self.of_user() {
            format!("os:{{{}}}:{word}:{uid}", shard.0)
        } else {
            format!("os:{{{}}}:{word}", shard.0)
        }
    }
}

/// CRC16-CCITT (XMODEM), the hash of Redis Cluster (cluster specification, appendix A).
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc16_matches_the_check_value_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
    }

    #[test]
    fn names_are_those_of_the_design() {
        assert_eq!(Key::Seat.name(Shard(0), "1001"), "os:{0}:seat:1001");
        assert_eq!(Key::Roster.name(Shard(7), ""), "os:{7}:roster");
        assert_eq!(Key::Nodes.name(Shard(7), ""), "os:{dir}:nodes");
    }

    #[test]
    fn every_name_is_read_back_and_no_other() {
        for key in Key::ALL {
            let uid = if key.of_user() { "a:1" } else { "" };
            assert_eq!(Key::read(&key.name(Shard(7), uid)), Some((key, uid)));
        }
        for other in ["os:{0}:seat", "os:{0}:seat:", "os:{0}:roster:1", "os:{dir}:seat:1", "os:{0}:nodes", "os:{0}:x:1"]
        {
            assert_eq!(Key::read(other), None, "{other}");
        }
    }
}
