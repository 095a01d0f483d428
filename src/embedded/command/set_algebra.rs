//! Unions, intersections and differences of sets.

use super::list::counted_keys;
use super::{is, positive};
use crate::embedded::fault::Fault;
use crate::embedded::keyspace::class;
use crate::embedded::set::Set;
use crate::embedded::spec::{Call, Outcome};
use crate::embedded::value::Kind;

#[derive(Clone, Copy)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// Copies of the sets of some keys; a missing key is an empty set.
fn sets(call: &mut Call<'_>, keys: &[&[u8]]) -> Result<Vec<Set>, Fault> {
    keys.iter().map(|key| Ok(call.core.db.get::<Set>(key)?.cloned().unwrap_or_default())).collect()
}

fn combine(call: &mut Call<'_>, keys: &[&[u8]], operation: Operation, limit: usize) -> Result<Set, Fault> {
    let mut sets = sets(call, keys)?;
    let mut result = Set::default();
    match operation {
        Operation::Union => {
            for set in &sets {
                set.each(|member| {
                    result.insert(member);
                });
            }
        }
        Operation::Intersection => {
            // The smallest set bounds the work.
            sets.sort_by_key(Set::len);
            let (first, others) = sets.split_first().ok_or(Fault::SYNTAX)?;
            first.each(|member| {
                if result.len() < limit && others.iter().all(|set| set.contains(member)) {
                    result.insert(member);
                }
            });
        }
        Operation::Difference => {
            let (first, others) = sets.split_first().ok_or(Fault::SYNTAX)?;
            first.each(|member| {
                if !others.iter().any(|set| set.contains(member)) {
                    result.insert(member);
                }
            });
        }
    }
    Ok(result)
}

fn answer(call: &mut Call<'_>, keys: &[&[u8]], operation: Operation) -> Outcome {
    let result = combine(call, keys, operation, usize::MAX)?;
    call.out.set(result.len());
    result.each(|member| call.out.bulk(member));
    Ok(())
}

fn store(call: &mut Call<'_>, args: &[&[u8]], operation: Operation, event: &'static str) -> Outcome {
    let result = combine(call, &args[2..], operation, usize::MAX)?;
    let length = result.len();
    let db = &mut call.core.db;
    if length > 0 {
        db.put(args[1], result.wrap(), false);
        db.touch(args[1], class::SET, event);
    } else if db.remove(args[1]).is_some() {
        db.touch(args[1], class::GENERIC, "del");
    }
    call.out.count(length);
    Ok(())
}

pub fn sunion(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    answer(call, &args[1..], Operation::Union)
}

pub fn sinter(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    answer(call, &args[1..], Operation::Intersection)
}

pub fn sdiff(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    answer(call, &args[1..], Operation::Difference)
}

pub fn sunionstore(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    store(call, args, Operation::Union, "sunionstore")
}

pub fn sinterstore(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    store(call, args, Operation::Intersection, "sinterstore")
}

pub fn sdiffstore(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    store(call, args, Operation::Difference, "sdiffstore")
}

/// Reads `[LIMIT limit]`; no limit when it is absent or 0.
pub fn card_limit(args: &[&[u8]]) -> Result<usize, Fault> {
    match args {
        [] => Ok(usize::MAX),
        [word, limit] if is(word, "limit") => {
            let limit = positive(limit).map_err(|_| Fault::new("ERR LIMIT can't be negative"))?;
            Ok(if limit == 0 { usize::MAX } else { limit })
        }
        _ => Err(Fault::SYNTAX),
    }
}

pub fn sintercard(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (keys, end) = counted_keys(args, 1).map_err(|fault| {
        if fault == Fault::SYNTAX {
            Fault::new("ERR Number of keys can't be greater than number of args")
        } else {
            fault
        }
    })?;
    let limit = card_limit(&args[end..])?;
    let result = combine(call, keys, Operation::Intersection, limit)?;
    call.out.count(result.len());
    Ok(())
}
