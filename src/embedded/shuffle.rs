//! Replies whose order Redis leaves open, put into another one: for tests that want scripts not to depend on it.

use super::core::Core;
use super::reply::{Token, TokenReader};
use super::spec::Spec;

/// A generator's state from a seed: neighbouring seeds lead to states that have nothing in common (SplitMix64).
pub fn spread(seed: u64) -> u64 {
    let mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    // The generator stands still at zero.
    (mixed ^ mixed >> 31) | 1
}

/// Elements of the reply that stay together, if their order is open.
fn group_of(spec: &Spec) -> Option<usize> {
    match spec.name {
        "hgetall" => Some(2),
        "hkeys" | "hvals" | "keys" | "sdiff" | "sinter" | "smembers" | "sunion" => Some(1),
        _ => None,
    }
}

/// Shuffles a reply that a command has just written into an empty buffer.
pub fn shuffle(core: &mut Core, spec: &Spec, buffer: &mut Vec<u8>) {
    let Some(group) = group_of(spec) else { return };
    let mut reader = TokenReader::new(buffer);
    let groups = match reader.token() {
        Token::Array(length) => length / group,
        Token::Set(length) | Token::Map(length) => length,
        _ => return,
    };
    let start = buffer.len() - reader.left();
    let mut parts = Vec::with_capacity(groups);
    for _ in 0..groups {
        let from = buffer.len() - reader.left();
        for _ in 0..group {
            reader.token();
        }
        parts.push(from..buffer.len() - reader.left());
    }
    for last in (1..parts.len()).rev() {
        parts.swap(last, core.random_below(last + 1));
    }
    let shuffled: Vec<u8> = parts.into_iter().flat_map(|part| &buffer[part]).copied().collect();
    buffer.truncate(start);
    buffer.extend(shuffled);
}
