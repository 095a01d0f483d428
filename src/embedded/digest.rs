//! A fingerprint of the whole keyspace that does not depend on any order of keys, fields or members.

use std::hash::{DefaultHasher, Hasher};

use super::keyspace::Keyspace;
use super::value::Value;

/// The sum of the fingerprints of all live keys.
pub fn of_keyspace(db: &Keyspace) -> u64 {
    db.iter().fold(0, |sum: u64, (key, entry)| {
        let parts = (key, entry.deadline_ms, entry.value.type_name(), of_value(&entry.value));
        sum.wrapping_add(hash_of(&parts))
    })
}

/// The fingerprint of one value.
pub fn hash_of(part: &impl std::hash::Hash) -> u64 {
    // Keys of this hasher are fixed, so that two engines agree.
    let mut hasher = DefaultHasher::new();
    part.hash(&mut hasher);
    hasher.finish()
}

fn sum(parts: impl Iterator<Item = u64>) -> u64 {
    parts.fold(0, u64::wrapping_add)
}

fn of_value(value: &Value) -> u64 {
    match value {
        Value::Text(text) => hash_of(text),
        Value::List(list) => sum(list.iter().enumerate().map(|item| hash_of(&item))),
        Value::Hash(hash) => sum(hash.iter().map(|pair| hash_of(&pair))),
        Value::Set(set) => sum(set.members().iter().map(hash_of)),
        Value::Zset(zset) => sum(zset.iter().map(|member| hash_of(&(member.name(), member.score().to_bits())))),
        Value::Stream(stream) => {
            let entry = |(id, packed): (&super::stream::StreamId, &super::packed::Packed)| {
                hash_of(&(id, packed.iter().map(|(_, item)| item).collect::<Vec<_>>()))
            };
            let beside = (&stream.last_id, &stream.max_deleted_id, stream.entries_added);
            hash_of(&beside).wrapping_add(sum(stream.entries.iter().map(entry)))
        }
    }
}
