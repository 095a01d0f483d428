//! The list type: a packed sequence while small, a double-ended queue when large.
//!
//! Only the operations at the ends and reading keep a list packed; one that is edited in the middle becomes a queue.

use std::collections::VecDeque;

use super::footprint::{self, block};
use super::packed::Packed;

/// Most items of a packed list.
const PACKED_ITEMS_MAX: usize = 64;
/// Most bytes of a packed list.
const PACKED_BYTES_MAX: usize = 4096;

/// Items in order.
#[derive(Clone, Debug)]
pub enum List {
    Small(Packed),
    /// A queue, and the bytes that its items take.
    Large(VecDeque<Box<[u8]>>, usize),
}

impl Default for List {
    fn default() -> Self {
        List::Small(Packed::default())
    }
}

impl List {
    pub fn len(&self) -> usize {
        match self {
            List::Small(packed) => packed.len(),
            List::Large(queue, _) => queue.len(),
        }
    }

    /// Bytes of memory that it holds beside itself.
    pub fn footprint(&self) -> usize {
        match self {
            List::Small(packed) => packed.footprint(),
            List::Large(queue, content) => content + block(size_of::<Box<[u8]>>() * queue.capacity()),
        }
    }

    pub fn push(&mut self, item: &[u8], front: bool) {
        if let List::Small(packed) = self
            && (packed.len() >= PACKED_ITEMS_MAX || packed.byte_len() + item.len() > PACKED_BYTES_MAX)
        {
            self.grow();
        }
        match (self, front) {
            (List::Small(packed), true) => packed.push_front(item),
            (List::Small(packed), false) => packed.push(item),
            (list, true) => list.insert(0, item),
            (list, false) => list.insert(list.len(), item),
        }
    }

    pub fn pop(&mut self, front: bool) -> Option<Box<[u8]>> {
        match self {
            List::Small(packed) => {
                let index = if front { 0 } else { packed.len().checked_sub(1)? };
                let item: Box<[u8]> = packed.get(index)?.into();
                let slot = packed.slot(index)?;
                packed.remove(slot, slot, 1);
                Some(item)
            }
            List::Large(queue, content) => {
                let item = if front { queue.pop_front() } else { queue.pop_back() }?;
                *content -= block(item.len());
                trim(queue);
                Some(item)
            }
        }
    }

    pub fn get(&self, index: usize) -> Option<&[u8]> {
        match self {
            List::Small(packed) => packed.get(index),
            List::Large(queue, _) => queue.get(index).map(|item| &**item),
        }
    }

    /// `count` items from a position on.
    pub fn range(&self, from: usize, count: usize) -> Box<dyn Iterator<Item = &[u8]> + '_> {
        match self {
            List::Small(packed) => Box::new(packed.iter().map(|(_, item)| item).skip(from).take(count)),
            List::Large(queue, _) => {
                let from = from.min(queue.len());
                let to = (from + count).min(queue.len());
                Box::new(queue.range(from..to).map(|item| &**item))
            }
        }
    }

    pub fn iter(&self) -> Box<dyn Iterator<Item = &[u8]> + '_> {
        self.range(0, self.len())
    }

    /// Keeps `count` items from a position on.
    pub fn keep(&mut self, from: usize, count: usize) {
        let to = from.saturating_add(count).min(self.len());
        match self {
            List::Small(packed) => {
                cut(packed, to, packed.len());
                cut(packed, 0, from.min(packed.len()));
            }
            List::Large(queue, content) => {
                let gone: usize = queue.drain(to..).map(|item| block(item.len())).sum();
                let before: usize = queue.drain(..from.min(to)).map(|item| block(item.len())).sum();
                *content -= gone + before;
                trim(queue);
            }
        }
    }

    /// Puts an item before the one at a position, or at the end.
    pub fn insert(&mut self, index: usize, item: &[u8]) {
        let (queue, content) = self.grow();
        queue.insert(index, item.into());
        *content += block(item.len());
    }

    /// Replaces the item at a position that is taken.
    pub fn set(&mut self, index: usize, item: &[u8]) {
        let (queue, content) = self.grow();
        let old = std::mem::replace(&mut queue[index], item.into());
        *content += block(item.len());
        *content -= block(old.len());
    }

    /// Keeps the items that are wanted.
    pub fn retain(&mut self, wanted: impl FnMut(&Box<[u8]>) -> bool) {
        let (queue, content) = self.grow();
        queue.retain(wanted);
        *content = queue.iter().map(|item| block(item.len())).sum();
        trim(queue);
    }

    /// The list as a queue, for changes in its middle.
    fn grow(&mut self) -> (&mut VecDeque<Box<[u8]>>, &mut usize) {
        if let List::Small(packed) = self {
            let content = packed.iter().map(|(_, item)| block(item.len())).sum();
            *self = List::Large(packed.iter().map(|(_, item)| item.into()).collect(), content);
        }
        match self {
            List::Large(queue, content) => (queue, content),
            List::Small(_) => unreachable!("it was turned into a queue above"),
        }
    }

    /// The name that OBJECT ENCODING gives this form.
    pub fn encoding(&self) -> &'static str {
        match self {
            List::Small(_) => "listpack",
            List::Large(..) => "quicklist",
        }
    }
}

/// Gives room back when most items of a long queue are gone.
fn trim(queue: &mut VecDeque<Box<[u8]>>) {
    if let Some(room) = footprint::smaller_room(queue.len(), queue.capacity()) {
        queue.shrink_to(room);
    }
}

/// Removes the items of positions `from` to `to`.
fn cut(packed: &mut Packed, from: usize, to: usize) {
    if from < to
        && let (Some(first), Some(last)) = (packed.slot(from), packed.slot(to - 1))
    {
        packed.remove(first, last, to - from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_hold_the_same() {
        let mut list = List::default();
        for i in 0..100u8 {
            list.push(&[i], i % 2 == 0);
            let ends = (list.get(0).map(<[u8]>::to_vec), list.get(list.len() - 1).map(<[u8]>::to_vec));
            let even = if i == 0 { 0 } else { i - i % 2 };
            assert_eq!(ends.0, Some(vec![even]));
        }
        list.keep(10, 5);
        assert_eq!(list.iter().map(|item| item[0]).collect::<Vec<_>>(), vec![78, 76, 74, 72, 70]);
        assert_eq!(list.pop(true).as_deref(), Some(&[78][..]));
        assert_eq!(list.pop(false).as_deref(), Some(&[70][..]));
    }
}
