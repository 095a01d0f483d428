//! A short sequence of byte strings in one allocation: the form of small hashes, small lists and stream entries.
//!
//! Each item is its length as a varint, then its bytes. Finding something is a walk, so owners switch to another form
//! past a small size. It knows nothing of pairs or keys.

use super::footprint;

/// Room that is kept when items are removed.
const SPARE_BYTES: usize = 64;

/// Byte strings stored one behind the other.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    bytes: Vec<u8>,
    count: u32,
}

/// Where an item stands: its length prefix starts at `from`, its bytes at `content`, and it ends at `to`.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    from: usize,
    content: usize,
    to: usize,
}

impl Packed {
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Bytes of all items with their lengths.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of memory that it holds.
    pub fn footprint(&self) -> usize {
        footprint::block(self.bytes.capacity())
    }

    pub fn push(&mut self, item: &[u8]) {
        let at = self.bytes.len();
        self.insert_at(at, item);
    }

    pub fn push_front(&mut self, item: &[u8]) {
        self.insert_at(0, item);
    }

    pub fn iter(&self) -> PackedIter<'_> {
        PackedIter { bytes: &self.bytes, at: 0 }
    }

    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.iter().nth(index).map(|(_, item)| item)
    }

    /// The item at a position with its slot.
    pub fn slot(&self, index: usize) -> Option<Slot> {
        self.iter().nth(index).map(|(slot, _)| slot)
    }

    /// Replaces the item of a slot.
    pub fn replace(&mut self, slot: Slot, item: &[u8]) {
        if slot.to - slot.content == item.len() {
            self.bytes[slot.content..slot.to].copy_from_slice(item);
            return;
        }
        self.cut(slot.from, slot.to, 1);
        self.insert_at(slot.from, item);
    }

    /// Removes `count` items that stand from the first slot to the last one.
    pub fn remove(&mut self, first: Slot, last: Slot, count: usize) {
        self.cut(first.from, last.to, count);
    }

    fn cut(&mut self, from: usize, to: usize, count: usize) {
        self.bytes.drain(from..to);
        self.count -= count as u32;
        if self.bytes.capacity() > 2 * self.bytes.len() + SPARE_BYTES {
            self.bytes.shrink_to(self.bytes.len() + SPARE_BYTES);
        }
    }

    fn insert_at(&mut self, at: usize, item: &[u8]) {
        let mut prefix = [0; 5];
        let prefix = write_varint(item.len(), &mut prefix);
        let extra = prefix.len() + item.len();
        let old = self.bytes.len();
        if self.bytes.capacity() < old + extra {
            // Doubling would waste half of a small object; what the allocator sets aside anyway serves the next change.
            self.bytes.reserve_exact(footprint::block(old + extra) - old);
        }
        self.bytes.resize(old + extra, 0);
        self.bytes.copy_within(at..old, at + extra);
        self.bytes[at..at + prefix.len()].copy_from_slice(prefix);
        self.bytes[at + prefix.len()..at + extra].copy_from_slice(item);
        self.count += 1;
    }
}

fn write_varint(mut value: usize, into: &mut [u8; 5]) -> &[u8] {
    let mut at = 0;
    while value >= 128 {
        into[at] = (value & 127) as u8 | 128;
        value >>= 7;
        at += 1;
    }
    into[at] = value as u8;
    &into[..=at]
}

/// Items in order, each with its slot.
#[derive(Clone, Debug)]
pub struct PackedIter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for PackedIter<'a> {
    type Item = (Slot, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.at;
        let mut byte = *self.bytes.get(self.at)?;
        let mut length = usize::from(byte & 127);
        let mut shift = 7;
        self.at += 1;
        while byte >= 128 {
            byte = self.bytes[self.at];
            length |= usize::from(byte & 127) << shift;
            shift += 7;
            self.at += 1;
        }
        let content = self.at;
        self.at += length;
        Some((Slot { from, content, to: self.at }, &self.bytes[content..self.at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(packed: &Packed) -> Vec<Vec<u8>> {
        packed.iter().map(|(_, item)| item.to_vec()).collect()
    }

    #[test]
    fn items_of_any_length_keep_their_order() {
        let mut packed = Packed::default();
        let long = vec![b'x'; 70_000];
        packed.push(b"b");
        packed.push(&long);
        packed.push_front(b"");
        assert_eq!(items(&packed), vec![vec![], b"b".to_vec(), long.clone()]);
        let slot = packed.slot(1).expect("it was pushed");
        packed.replace(slot, b"longer");
        let first = packed.slot(0).expect("it was pushed");
        packed.remove(first, first, 1);
        assert_eq!(items(&packed), vec![b"longer".to_vec(), long]);
        assert_eq!(packed.len(), 2);
    }
}
