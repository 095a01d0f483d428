//! Types of single values that are more than a number: each refuses what it cannot mean, and says what is allowed.

use std::fmt;
use std::net::SocketAddr;

use serde::de::{Deserialize, Deserializer, Error};

use crate::id::Name;

/// What stands in place of a secret, wherever one would be shown.
pub const MASK: &str = "***";

/// A text that is never shown: `Debug` and `Display` print a mask.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself. Callers must not log it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "" } else { MASK })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        // It travels in an HTTP header, which ends at a line break and is trimmed of spaces.
        let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| Secret(text.to_owned()));
        parse(source, printable, "a text of printable ASCII characters without spaces")
    }
}

/// When the append-only file of the embedded store is forced to the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fsync {
    Always,
    Everysec,
    No,
}

impl Fsync {
    /// The word of the configuration, which is Redis' own.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fsync::Always => "always",
            Fsync::Everysec => "everysec",
            Fsync::No => "no",
        }
    }
}

impl<'de> Deserialize<'de> for Fsync {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let all = [Fsync::Always, Fsync::Everysec, Fsync::No];
        let read = |text: &str| all.into_iter().find(|fsync| fsync.as_str() == text);
        parse(source, read, "\"always\", \"everysec\" or \"no\"")
    }
}

/// What happens when a seat is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    Takeover,
    Deny,
}

impl Policy {
    /// The word that scripts are given.
    pub const fn as_str(self) -> &'static str {
        match self {
            Policy::Takeover => "takeover",
            Policy::Deny => "deny",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let read = |text: &str| [Policy::Takeover, Policy::Deny].into_iter().find(|policy| policy.as_str() == text);
        parse(source, read, "\"takeover\" or \"deny\"")
    }
}

/// Who may send texts to a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Senders {
    Friends,
    Anyone,
}

impl Senders {
    /// The word that scripts are given.
    pub const fn as_str(self) -> &'static str {
        match self {
            Senders::Friends => "friends",
            Senders::Anyone => "anyone",
        }
    }
}

impl<'de> Deserialize<'de> for Senders {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let read = |text: &str| [Senders::Friends, Senders::Anyone].into_iter().find(|each| each.as_str() == text);
        parse(source, read, "\"friends\" or \"anyone\"")
    }
}

/// What happens to a message for an inbox that is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    Refuse,
    Drop,
}

impl Full {
    /// The word that scripts are given.
    pub const fn as_str(self) -> &'static str {
        match self {
            Full::Refuse => "refuse",
            Full::Drop => "drop",
        }
    }
}

impl<'de> Deserialize<'de> for Full {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let read = |text: &str| [Full::Refuse, Full::Drop].into_iter().find(|each| each.as_str() == text);
        parse(source, read, "\"refuse\" or \"drop\"")
    }
}

/// What becomes of a node's sessions when it is cut off from Redis past its lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Partition {
    Hold,
    Fence,
}

impl<'de> Deserialize<'de> for Partition {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let read = |text: &str| match text {
            "hold" => Some(Partition::Hold),
            "fence" => Some(Partition::Fence),
            _ => None,
        };
        parse(source, read, "\"hold\" or \"fence\"")
    }
}

/// Form of the log lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Human,
    Json,
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let read = |text: &str| match text {
            "human" => Some(Format::Human),
            "json" => Some(Format::Json),
            _ => None,
        };
        parse(source, read, "\"human\" or \"json\"")
    }
}

/// A log filter that is known to parse.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Level(String);

impl Level {
    /// The text of the filter.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The filter parser takes any single word for the name of a module, so that `inof` would silence everything; a
    /// part without `=` must therefore be a level.
    fn read(text: &str) -> Option<Self> {
        const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
        let known = |part: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(part));
        let plain = text.split(',').all(|part| part.rsplit_once('=').map_or(known(part), |(_, level)| known(level)));
        let parses = plain && tracing_subscriber::EnvFilter::builder().parse(text).is_ok();
        parses.then(|| Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        parse(
            source,
            Self::read,
            "off, error, warn, info, debug or trace, or a filter such as \"info,oneseat::gateway=debug\"",
        )
    }
}

/// An address to listen on. Names are not accepted: they may mean several addresses.
pub fn address<'de, D: Deserializer<'de>>(source: D) -> Result<SocketAddr, D::Error> {
    parse(source, |text| text.parse().ok(), "an IP address and a port, such as \"127.0.0.1:8090\" or \"[::1]:8090\"")
}

/// A name of a node or a class.
pub fn name<'de, D: Deserializer<'de>>(source: D) -> Result<Name, D::Error> {
    parse(source, Name::parse, "1 to 64 characters of A-Z a-z 0-9 . _ -")
}

/// Empty, or the name of a zone.
pub fn zone<'de, D: Deserializer<'de>>(source: D) -> Result<String, D::Error> {
    let read = |text: &str| (text.is_empty() || Name::parse(text).is_some()).then(|| text.to_owned());
    parse(source, read, "\"\" or 1 to 64 characters of A-Z a-z 0-9 . _ -")
}

/// Empty, or `host:port` as a client would dial it.
pub fn host_port<'de, D: Deserializer<'de>>(source: D) -> Result<String, D::Error> {
    let read = |text: &str| (text.is_empty() || split_host_port(text).is_some()).then(|| text.to_owned());
    parse(source, read, "\"\" or a host and a port, such as \"chat1.example.com:8090\"")
}

/// Empty, or the name of a script.
pub fn script<'de, D: Deserializer<'de>>(source: D) -> Result<String, D::Error> {
    let read = |text: &str| is_script(text).then(|| text.to_owned());
    parse(source, read, "\"\" or the name of a script, such as \"welcome\"")
}

/// Whether a text is empty or may be the name of a script.
pub fn is_script(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= 64 && text.bytes().all(letter)
}

/// Host and port of an address that clients dial. An IPv6 host stands in brackets, which are not part of it.
pub fn split_host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let safe = |host: &str| !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/@[]".contains(c));
    let fits = match inner {
        Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok(),
        None => safe(host) && !host.contains(':'),
    };
    let port = port.parse().ok().filter(|port| *port > 0)?;
    fits.then_some((inner.unwrap_or(host), port))
}

/// Reads a text and turns it into a value, or says what is allowed.
pub(super) fn parse<'de, D: Deserializer<'de>, T>(
    source: D,
    read: impl Fn(&str) -> Option<T>,
    allowed: &'static str,
) -> Result<T, D::Error> {
    let text = String::deserialize(source)?;
    read(&text).ok_or_else(|| D::Error::custom(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_not_taken_for_a_module() {
        assert!(Level::read("info,oneseat::gateway=debug").is_some());
        assert!(Level::read("inof").is_none());
        assert!(Level::read("info,=,").is_none());
    }

    #[test]
    fn host_and_port_are_what_a_client_can_dial() {
        assert_eq!(split_host_port("[::1]:90"), Some(("::1", 90)));
        assert_eq!(split_host_port("a.example:90"), Some(("a.example", 90)));
        for bad in ["a", "a:", ":90", "a:0", "a:65536", "::1:90", "a b:1", "u@a:1"] {
            assert_eq!(split_host_port(bad), None, "{bad}");
        }
    }
}
