//! The set type: sorted integers while all members are integers, a table with positions otherwise.

use ahash::RandomState;
use indexmap::IndexSet;

use super::footprint::{self, block};
use super::number;

/// Most members of an integer set.
const INTS_MAX: usize = 512;
/// Below this size removal keeps the order of insertion, as a small set of Redis 7.2 does.
const ORDERED_MAX: usize = 128;
/// Longest member that Redis keeps in its small form.
const SMALL_BYTES_MAX: usize = 64;

/// An entry of the table: its hash and a member.
const SLOT_BYTES: usize = 24;

/// Distinct members.
#[derive(Clone, Debug)]
pub enum Set {
    Ints(Vec<i64>),
    /// Members with the bytes that they take.
    Members {
        table: IndexSet<Box<[u8]>, RandomState>,
        content: usize,
        small: bool,
    },
}

impl Default for Set {
    fn default() -> Self {
        Set::Ints(Vec::new())
    }
}

impl Set {
    pub fn len(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.len(),
            Set::Members { table, .. } => table.len(),
        }
    }

    /// Bytes of memory that it holds beside itself.
    pub fn footprint(&self) -> usize {
        match self {
            Set::Ints(ints) => block(size_of::<i64>() * ints.capacity()),
            Set::Members { table, content, .. } => content + footprint::table(table.capacity(), SLOT_BYTES),
        }
    }

    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Set::Ints(ints) => number::parse_i64(member).is_some_and(|int| ints.binary_search(&int).is_ok()),
            Set::Members { table, .. } => table.contains(member),
        }
    }

    /// Adds a member; true when it is new.
    pub fn insert(&mut self, member: &[u8]) -> bool {
        if let Set::Ints(ints) = self {
            match number::parse_i64(member) {
                Some(int) => {
                    let Err(at) = ints.binary_search(&int) else {
                        return false;
                    };
                    ints.insert(at, int);
                    if ints.len() > INTS_MAX {
                        self.grow();
                    }
                    return true;
                }
                None => self.grow(),
            }
        }
        let Set::Members { table, content, small } = self else { unreachable!("integer sets returned above") };
        if table.contains(member) {
            return false;
        }
        table.insert(member.into());
        *content += block(member.len());
        *small &= member.len() <= SMALL_BYTES_MAX && table.len() <= ORDERED_MAX;
        true
    }

    /// Removes a member; true when it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Ints(ints) => {
                let at = number::parse_i64(member).and_then(|int| ints.binary_search(&int).ok());
                at.map(|at| ints.remove(at)).is_some()
            }
            Set::Members { table, content, small } => {
                let removed = if *small { table.shift_remove(member) } else { table.swap_remove(member) };
                if removed {
                    *content -= block(member.len());
                }
                if let Some(room) = footprint::smaller_room(table.len(), table.capacity()) {
                    table.shrink_to(room);
                }
                removed
            }
        }
    }

    /// The member at a position.
    pub fn at(&self, index: usize) -> Option<Vec<u8>> {
        match self {
            Set::Ints(ints) => ints.get(index).map(|int| number::integer(*int)),
            Set::Members { table, .. } => table.get_index(index).map(|member| member.to_vec()),
        }
    }

    /// Calls `visit` with each member.
    pub fn each(&self, mut visit: impl FnMut(&[u8])) {
        match self {
            Set::Ints(ints) => {
                let mut text = itoa::Buffer::new();
                ints.iter().for_each(|int| visit(text.format(*int).as_bytes()));
            }
            Set::Members { table, .. } => table.iter().for_each(|member| visit(member)),
        }
    }

    pub fn members(&self) -> Vec<Vec<u8>> {
        let mut members = Vec::with_capacity(self.len());
        self.each(|member| members.push(member.to_vec()));
        members
    }

    /// The name that OBJECT ENCODING gives this form.
    pub fn encoding(&self) -> &'static str {
        match self {
            Set::Ints(_) => "intset",
            Set::Members { small: true, .. } => "listpack",
            Set::Members { small: false, .. } => "hashtable",
        }
    }

    fn grow(&mut self) {
        if let Set::Ints(ints) = self {
            let small = ints.len() <= ORDERED_MAX;
            let table: IndexSet<Box<[u8]>, RandomState> =
                ints.iter().map(|int| number::integer(*int).into_boxed_slice()).collect();
            let content = table.iter().map(|member| block(member.len())).sum();
            *self = Set::Members { table, content, small };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_ascend_until_a_word_comes() {
        let mut set = Set::default();
        for member in ["3", "-1", "2"] {
            assert!(set.insert(member.as_bytes()));
        }
        assert_eq!(set.members(), vec![b"-1".to_vec(), b"2".to_vec(), b"3".to_vec()]);
        assert!(set.insert(b"x") && !set.insert(b"2") && set.remove(b"-1"));
        assert_eq!(set.members(), vec![b"2".to_vec(), b"3".to_vec(), b"x".to_vec()]);
    }
}
