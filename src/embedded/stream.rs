//! The stream type: entries by id, each a packed list of fields and values.

use std::collections::BTreeMap;
use std::fmt;

use super::footprint::block;
use super::number;
use super::packed::Packed;

/// Milliseconds and a sequence number within them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    pub ms: u64,
    pub seq: u64,
}

impl StreamId {
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    /// The id after this one; none after the last.
    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The id before this one; none before the first.
    pub fn previous(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// Reads `ms-seq`, or `ms` alone with the given sequence number.
    pub fn parse(text: &[u8], seq: u64) -> Option<StreamId> {
        let text = text.trim_ascii_start();
        match text.iter().position(|byte| *byte == b'-') {
            Some(at) => Some(StreamId { ms: parse_u64(&text[..at])?, seq: parse_u64(&text[at + 1..])? }),
            None => Some(StreamId { ms: parse_u64(text)?, seq }),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// Reads an unsigned 64-bit integer, as strict as the signed one.
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    if text.len() == 20 || (text.len() == 19 && number::parse_i64(text).is_none()) {
        let digits = text.iter().all(u8::is_ascii_digit) && text[0] != b'0';
        return std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok();
    }
    number::parse_i64(text).and_then(|value| u64::try_from(value).ok())
}

/// An append-only log of entries.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    pub entries: BTreeMap<StreamId, Packed>,
    pub last_id: StreamId,
    pub max_deleted_id: StreamId,
    pub entries_added: u64,
    /// Bytes that the entries take.
    pub(super) content: usize,
}

/// What an entry takes: its block, and its share of a tree whose nodes are about half full.
pub(super) fn cost(entry: &Packed) -> usize {
    block(entry.byte_len()) + 2 * (size_of::<StreamId>() + size_of::<Packed>())
}

impl Stream {
    /// Bytes of memory that it holds beside itself.
    pub fn footprint(&self) -> usize {
        self.content
    }

    /// Adds an entry; its id must be new.
    pub fn insert(&mut self, id: StreamId, entry: Packed) {
        self.content += cost(&entry);
        self.entries.insert(id, entry);
    }

    /// Removes an entry; true when it was there.
    pub fn remove(&mut self, id: StreamId) -> bool {
        let entry = self.entries.remove(&id);
        self.content -= entry.as_ref().map_or(0, cost);
        entry.is_some()
    }

    /// Drops the oldest entries until at most `length` are left; the number dropped.
    pub fn trim_to_length(&mut self, length: usize) -> usize {
        let excess = self.entries.len().saturating_sub(length);
        for _ in 0..excess {
            if let Some((_, entry)) = self.entries.pop_first() {
                self.content -= cost(&entry);
            }
        }
        excess
    }

    /// Drops the entries below an id; the number dropped.
    pub fn trim_below(&mut self, id: StreamId) -> usize {
        let kept = self.entries.split_off(&id);
        let gone = std::mem::replace(&mut self.entries, kept);
        self.content -= gone.values().map(cost).sum::<usize>();
        gone.len()
    }
}
