//! Sets.

use std::collections::BTreeSet;

use super::{integer, positive};
use crate::embedded::fault::Fault;
use crate::embedded::keyspace::class;
use crate::embedded::set::Set;
use crate::embedded::spec::{Call, Outcome};

/// Most picks with repetition that one command may ask for.
const PICKS_MAX: i64 = 10_000_000;

pub fn sadd(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let set = call.core.db.make::<Set>(args[1])?;
    let added = args[2..].iter().filter(|member| set.insert(member)).count();
    if added > 0 {
        call.core.db.touch(args[1], class::SET, "sadd");
    }
    call.out.count(added);
    Ok(())
}

pub fn srem(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let db = &mut call.core.db;
    let removed = match db.get_mut::<Set>(args[1])? {
        Some(set) => args[2..].iter().filter(|member| set.remove(member)).count(),
        None => 0,
    };
    if removed > 0 {
        db.touch(args[1], class::SET, "srem");
        db.remove_if_empty(args[1]);
    }
    call.out.count(removed);
    Ok(())
}

pub fn smembers(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let set = call.core.db.get::<Set>(args[1])?;
    call.out.set(set.map_or(0, Set::len));
    if let Some(set) = set {
        set.each(|member| call.out.bulk(member));
    }
    Ok(())
}

pub fn sismember(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let set = call.core.db.get::<Set>(args[1])?;
    call.out.integer(i64::from(set.is_some_and(|set| set.contains(args[2]))));
    Ok(())
}

pub fn smismember(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let set = call.core.db.get::<Set>(args[1])?;
    call.out.array(args.len() - 2);
    for member in &args[2..] {
        call.out.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

pub fn scard(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    call.out.count(call.core.db.get::<Set>(args[1])?.map_or(0, Set::len));
    Ok(())
}

/// Picks positions below `length`: distinct ones for a positive count, with repetition for a negative one.
pub fn pick(call: &mut Call<'_>, length: usize, count: i64) -> Result<Vec<usize>, Fault> {
    if length == 0 || count == 0 {
        return Ok(Vec::new());
    }
    if count < 0 {
        if count < -PICKS_MAX {
            return Err(Fault::OUT_OF_RANGE);
        }
        return Ok((0..count.unsigned_abs()).map(|_| call.core.random_below(length)).collect());
    }
    let count = count as usize;
    if count >= length {
        return Ok((0..length).collect());
    }
    // Floyd's way: each position is drawn once, however large the set is.
    let mut picked = BTreeSet::new();
    for upper in length - count..length {
        let candidate = call.core.random_below(upper + 1);
        if !picked.insert(candidate) {
            picked.insert(upper);
        }
    }
    Ok(picked.into_iter().collect())
}

pub fn srandmember(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    if args.len() > 3 {
        return Err(Fault::SYNTAX);
    }
    let length = call.core.db.get::<Set>(args[1])?.map_or(0, Set::len);
    match args.len() {
        2 => {
            let index = call.core.random_below(length.max(1));
            let member = call.core.db.get::<Set>(args[1])?.and_then(|set| set.at(index));
            call.out.bulk_or_null(member.as_deref());
        }
        3 => {
            let count = integer(args[2])?;
            let picks = pick(call, length, count)?;
            let set = call.core.db.get::<Set>(args[1])?;
            call.out.array(picks.len());
            for index in picks {
                call.out.bulk_or_null(set.and_then(|set| set.at(index)).as_deref());
            }
        }
        _ => return Err(Fault::SYNTAX),
    }
    Ok(())
}

pub fn spop(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let count = match args.len() {
        2 => 1,
        3 => positive(args[2])?,
        _ => return Err(Fault::SYNTAX),
    };
    let length = call.core.db.get::<Set>(args[1])?.map_or(0, Set::len);
    let picks = pick(call, length, i64::try_from(count).unwrap_or(i64::MAX))?;
    let db = &mut call.core.db;
    let mut members: Vec<Vec<u8>> = Vec::new();
    if let Some(set) = db.get_mut::<Set>(args[1])? {
        members = picks.into_iter().filter_map(|index| set.at(index)).collect();
        for member in &members {
            set.remove(member);
        }
    }
    if !members.is_empty() {
        db.touch(args[1], class::SET, "spop");
        let words = [b"SREM", args[1]].into_iter();
        db.effects.tell(&words.chain(members.iter().map(Vec::as_slice)).collect::<Vec<_>>());
        db.remove_if_empty(args[1]);
    }
    if args.len() == 2 {
        call.out.bulk_or_null(members.first().map(Vec::as_slice));
        return Ok(());
    }
    call.out.set(members.len());
    members.iter().for_each(|member| call.out.bulk(member));
    Ok(())
}

pub fn smove(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let db = &mut call.core.db;
    let source = db.get::<Set>(args[1])?;
    let there = source.is_some_and(|set| set.contains(args[3]));
    if source.is_some() {
        db.get::<Set>(args[2])?;
    }
    if there && args[1] != args[2] {
        if let Some(source) = db.get_mut::<Set>(args[1])? {
            source.remove(args[3]);
        }
        db.touch(args[1], class::SET, "srem");
        db.remove_if_empty(args[1]);
        if db.make::<Set>(args[2])?.insert(args[3]) {
            db.touch(args[2], class::SET, "sadd");
        }
    }
    call.out.integer(i64::from(there));
    Ok(())
}
