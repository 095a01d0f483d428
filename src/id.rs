//! The identities that everything else passes around: session, user, seat, rank, and names of nodes and classes.
//!
//! Each is checked when it is made, so that no later layer has to ask whether a text is safe to put into a key,
//! a roster entry or a channel name.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// Longest user id, in bytes. Keys and roster entries carry it, so it has to have a bound.
pub const UID_BYTES_MAX: usize = 64;
/// Longest name of a node or a class, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Identity of a session: a UUIDv7, made when its connection is accepted and never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Sid(Uuid);

impl Sid {
    /// A new identity; later ones sort after earlier ones of the same process.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads the text form that scripts pass around.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl Default for Sid {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// A user id as text: 1 to 64 bytes, printable, without `|`, `#`, `{` and `}`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Uid(Arc<str>);

impl Uid {
    /// Refuses what could break a key or a roster entry.
    pub fn parse(text: &str) -> Option<Self> {
        let safe = |c: char| !c.is_control() && !matches!(c, '|' | '#' | '{' | '}');
        let fits = (1..=UID_BYTES_MAX).contains(&text.len());
        (fits && text.chars().all(safe)).then(|| Self(text.into()))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name of a node or of a device class: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Name(Arc<str>);

impl Name {
    /// Refuses anything that could break a key, a hash field or a channel name.
    pub fn parse(text: &str) -> Option<Self> {
        let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
        (fits && text.bytes().all(safe)).then(|| Self(text.into()))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a session holds: one user, one device class.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Seat {
    pub uid: Uid,
    pub class: Name,
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.uid, self.class)
    }
}

/// Strength of a claim to a seat: the ticket's number first, the epoch second. Where two claims meet, the higher wins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Rank {
    /// Number of the ticket, given when it was issued.
    pub number: u64,
    /// Epoch of the seat, given when it was taken.
    pub epoch: u64,
}

/// Where a frame stands among the messages of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// How far the frame brings the session.
    pub position: u64,
    /// How far the session has to have come for it: between the two nothing else was sent.
    pub after: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uid_refuses_what_breaks_keys() {
        for bad in ["", "a|b", "a#b", "{a", "a}", "a\nb", &"x".repeat(65)] {
            assert_eq!(Uid::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Uid::parse("1001").expect("digits are fine").as_str(), "1001");
    }

    #[test]
    fn name_refuses_what_breaks_fields() {
        for bad in ["", "a:b", "a b", "é", &"x".repeat(65)] {
            assert_eq!(Name::parse(bad), None, "{bad:?}");
        }
        assert!(Name::parse("Node-1.a_b").is_some());
    }

    #[test]
    fn rank_orders_by_ticket_before_epoch() {
        let older = Rank { number: 1, epoch: 9 };
        let newer = Rank { number: 2, epoch: 3 };
        assert!(newer > older);
    }
}
