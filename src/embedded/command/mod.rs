//! The commands, one file per family, and how they read their arguments.

pub mod connection;
pub mod expiry;
pub mod hash;
pub mod introspection;
pub mod key;
pub mod list;
pub mod pubsub;
pub mod scan;
pub mod script;
pub mod server;
pub mod set;
pub mod set_algebra;
pub mod sorted_set;
pub mod stream;
pub mod string;
pub mod transaction;
pub mod zset_algebra;
pub mod zset_range;

use super::fault::Fault;
use super::number;

/// An argument as an integer.
pub fn integer(arg: &[u8]) -> Result<i64, Fault> {
    number::parse_i64(arg).ok_or(Fault::NOT_INTEGER)
}

/// An argument as a float.
pub fn float(arg: &[u8]) -> Result<f64, Fault> {
    number::parse_f64(arg).ok_or(Fault::NOT_FLOAT)
}

/// An argument as a count that may not be negative.
pub fn positive(arg: &[u8]) -> Result<usize, Fault> {
    number::parse_i64(arg).and_then(|value| usize::try_from(value).ok()).ok_or(Fault::NOT_POSITIVE)
}

/// Compares an argument with a keyword, in any case.
pub fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// A range of positions as LRANGE and its like give it: negative ones count from the end. None when it is empty.
pub fn clamp_range(start: i64, stop: i64, length: usize) -> Option<(usize, usize)> {
    let length = length as i64;
    let start = if start < 0 { (start + length).max(0) } else { start };
    let stop = if stop < 0 { stop + length } else { stop.min(length - 1) };
    (start <= stop && start < length).then(|| (start as usize, stop as usize + 1))
}
