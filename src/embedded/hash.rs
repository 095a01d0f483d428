//! The hash type: a packed sequence while small, a table with positions when large.
//!
//! Most hashes of an appliance are small records; packed they cost little more than their bytes and keep the order
//! of insertion, as Redis' listpack does.

use ahash::RandomState;
use indexmap::IndexMap;

use super::footprint::{self, block};
use super::packed::{Packed, Slot};

/// Most fields of a packed hash.
const PACKED_FIELDS_MAX: usize = 128;
/// Longest field or value of a packed hash.
const PACKED_BYTES_MAX: usize = 64;

/// An entry of the table: its hash, a field and a value.
const SLOT_BYTES: usize = 40;

/// Fields and values.
#[derive(Clone, Debug)]
pub enum Hash {
    Small(Packed),
    /// A table, and the bytes that its fields and values take. It is boxed, so that a small hash stays small.
    Large(Box<Table>, usize),
}

type Table = IndexMap<Box<[u8]>, Box<[u8]>, RandomState>;

impl Default for Hash {
    fn default() -> Self {
        Hash::Small(Packed::default())
    }
}

impl Hash {
    pub fn len(&self) -> usize {
        match self {
            Hash::Small(packed) => packed.len() / 2,
            Hash::Large(table, _) => table.len(),
        }
    }

    /// Bytes of memory that it holds beside itself.
    pub fn footprint(&self) -> usize {
        match self {
            Hash::Small(packed) => packed.footprint(),
            Hash::Large(table, content) => {
                content + block(size_of::<Table>()) + footprint::table(table.capacity(), SLOT_BYTES)
            }
        }
    }

    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        match self {
            Hash::Small(packed) => find(packed, field).map(|(_, _, value)| value),
            Hash::Large(table, _) => table.get(field).map(|value| &**value),
        }
    }

    /// Sets a field; true when it is new.
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        if field.len() > PACKED_BYTES_MAX || value.len() > PACKED_BYTES_MAX {
            self.grow();
        }
        match self {
            Hash::Small(packed) => {
                if let Some((_, slot, _)) = find(packed, field) {
                    packed.replace(slot, value);
                    return false;
                }
                packed.push(field);
                packed.push(value);
                if packed.len() > 2 * PACKED_FIELDS_MAX {
                    self.grow();
                }
                true
            }
            Hash::Large(table, content) => {
                *content += block(value.len());
                match table.get_mut(field) {
                    Some(old) => {
                        *content -= block(old.len());
                        *old = value.into();
                        false
                    }
                    None => {
                        *content += block(field.len());
                        table.insert(field.into(), value.into()).is_none()
                    }
                }
            }
        }
    }

    /// Removes a field; true when it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self {
            Hash::Small(packed) => match find(packed, field) {
                Some((first, second, _)) => {
                    packed.remove(first, second, 2);
                    true
                }
                None => false,
            },
            Hash::Large(table, content) => {
                let removed = table.swap_remove_entry(field);
                if let Some((field, value)) = &removed {
                    *content -= block(field.len()) + block(value.len());
                }
                if let Some(room) = footprint::smaller_room(table.len(), table.capacity()) {
                    table.shrink_to(room);
                }
                removed.is_some()
            }
        }
    }

    /// Field and value at a position.
    pub fn at(&self, index: usize) -> Option<(&[u8], &[u8])> {
        match self {
            Hash::Small(_) => self.iter().nth(index),
            Hash::Large(table, _) => table.get_index(index).map(|(field, value)| (&**field, &**value)),
        }
    }

    pub fn iter(&self) -> Box<dyn Iterator<Item = (&[u8], &[u8])> + '_> {
        match self {
            Hash::Small(packed) => {
                let mut items = packed.iter();
                Box::new(std::iter::from_fn(move || Some((items.next()?.1, items.next()?.1))))
            }
            Hash::Large(table, _) => Box::new(table.iter().map(|(field, value)| (&**field, &**value))),
        }
    }

    /// The name that OBJECT ENCODING gives this form.
    pub fn encoding(&self) -> &'static str {
        match self {
            Hash::Small(_) => "listpack",
            Hash::Large(..) => "hashtable",
        }
    }

    fn grow(&mut self) {
        if matches!(self, Hash::Small(_)) {
            let content = self.iter().map(|(field, value)| block(field.len()) + block(value.len())).sum();
            let table: Table = self.iter().map(|(field, value)| (field.into(), value.into())).collect();
            *self = Hash::Large(Box::new(table), content);
        }
    }
}

/// Slots of a field and its value, and the value.
fn find<'a>(packed: &'a Packed, field: &[u8]) -> Option<(Slot, Slot, &'a [u8])> {
    let mut items = packed.iter();
    while let Some((first, name)) = items.next() {
        let (second, value) = items.next()?;
        if name == field {
            return Some((first, second, value));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_hold_the_same() {
        let mut hash = Hash::default();
        for i in 0..300u32 {
            assert!(hash.set(&i.to_be_bytes(), b"v"));
            assert!(!hash.set(&i.to_be_bytes(), &(i * 2).to_be_bytes()));
        }
        assert!(matches!(hash, Hash::Large(..)));
        for i in (0..300u32).step_by(2) {
            assert!(hash.remove(&i.to_be_bytes()));
        }
        assert_eq!(hash.len(), 150);
        assert_eq!(hash.get(&7u32.to_be_bytes()), Some(&14u32.to_be_bytes()[..]));
        assert_eq!(hash.get(&8u32.to_be_bytes()), None);
    }
}
