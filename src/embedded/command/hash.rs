//! Hashes.

use super::{float, integer, is};
use crate::embedded::fault::Fault;
use crate::embedded::hash::Hash;
use crate::embedded::keyspace::class;
use crate::embedded::number;
use crate::embedded::spec::{Call, Outcome};

fn set_pairs(call: &mut Call<'_>, args: &[&[u8]], command: &str) -> Result<usize, Fault> {
    if !args.len().is_multiple_of(2) {
        return Err(Fault::arity(command));
    }
    let hash = call.core.db.make::<Hash>(args[1])?;
    let added = args[2..].chunks_exact(2).filter(|pair| hash.set(pair[0], pair[1])).count();
    call.core.db.touch(args[1], class::HASH, "hset");
    Ok(added)
}

pub fn hset(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let added = set_pairs(call, args, "hset")?;
    call.out.count(added);
    Ok(())
}

pub fn hmset(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    set_pairs(call, args, "hmset")?;
    call.out.ok();
    Ok(())
}

pub fn hsetnx(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let taken = call.core.db.get::<Hash>(args[1])?.is_some_and(|hash| hash.get(args[2]).is_some());
    if !taken {
        call.core.db.make::<Hash>(args[1])?.set(args[2], args[3]);
        call.core.db.touch(args[1], class::HASH, "hset");
    }
    call.out.integer(i64::from(!taken));
    Ok(())
}

pub fn hget(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let hash = call.core.db.get::<Hash>(args[1])?;
    call.out.bulk_or_null(hash.and_then(|hash| hash.get(args[2])));
    Ok(())
}

pub fn hmget(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let hash = call.core.db.get::<Hash>(args[1])?;
    call.out.array(args.len() - 2);
    for field in &args[2..] {
        call.out.bulk_or_null(hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

pub fn hgetall(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let hash = call.core.db.get::<Hash>(args[1])?;
    call.out.map(hash.map_or(0, Hash::len));
    for (field, value) in hash.iter().flat_map(|hash| hash.iter()) {
        call.out.bulk(field);
        call.out.bulk(value);
    }
    Ok(())
}

pub fn hkeys(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let hash = call.core.db.get::<Hash>(args[1])?;
    call.out.array(hash.map_or(0, Hash::len));
    hash.iter().flat_map(|hash| hash.iter()).for_each(|(field, _)| call.out.bulk(field));
    Ok(())
}

pub fn hvals(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let hash = call.core.db.get::<Hash>(args[1])?;
    call.out.array(hash.map_or(0, Hash::len));
    hash.iter().flat_map(|hash| hash.iter()).for_each(|(_, value)| call.out.bulk(value));
    Ok(())
}

pub fn hdel(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let db = &mut call.core.db;
    let removed = match db.get_mut::<Hash>(args[1])? {
        Some(hash) => args[2..].iter().filter(|field| hash.remove(field)).count(),
        None => 0,
    };
    if removed > 0 {
        db.touch(args[1], class::HASH, "hdel");
        db.remove_if_empty(args[1]);
    }
    call.out.count(removed);
    Ok(())
}

pub fn hexists(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let hash = call.core.db.get::<Hash>(args[1])?;
    call.out.integer(i64::from(hash.is_some_and(|hash| hash.get(args[2]).is_some())));
    Ok(())
}

pub fn hlen(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    call.out.count(call.core.db.get::<Hash>(args[1])?.map_or(0, Hash::len));
    Ok(())
}

pub fn hstrlen(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let hash = call.core.db.get::<Hash>(args[1])?;
    call.out.count(hash.and_then(|hash| hash.get(args[2])).map_or(0, <[u8]>::len));
    Ok(())
}

pub fn hincrby(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let by = integer(args[3])?;
    let db = &mut call.core.db;
    let old = match db.get::<Hash>(args[1])?.and_then(|hash| hash.get(args[2])) {
        Some(text) => number::parse_i64(text).ok_or(Fault::new("ERR hash value is not an integer"))?,
        None => 0,
    };
    let new = old.checked_add(by).ok_or(Fault::OVERFLOW)?;
    db.make::<Hash>(args[1])?.set(args[2], &number::integer(new));
    db.touch(args[1], class::HASH, "hincrby");
    call.out.integer(new);
    Ok(())
}

pub fn hincrbyfloat(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    if float(args[3])?.is_infinite() {
        return Err(Fault::new("ERR value is NaN or Infinity"));
    }
    let db = &mut call.core.db;
    let old = db.get::<Hash>(args[1])?.and_then(|hash| hash.get(args[2])).unwrap_or(b"0");
    let new = number::add_decimal(old, args[3]).ok_or(Fault::new("ERR hash value is not a float"))?;
    if new.contains("inf") || new.contains("nan") {
        return Err(Fault::NAN);
    }
    db.make::<Hash>(args[1])?.set(args[2], new.as_bytes());
    db.touch(args[1], class::HASH, "hincrbyfloat");
    db.effects.tell(&[b"HSET", args[1], args[2], new.as_bytes()]);
    call.out.bulk(new.as_bytes());
    Ok(())
}

pub fn hrandfield(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    if args.len() == 2 {
        let length = call.core.db.get::<Hash>(args[1])?.map_or(0, Hash::len);
        let index = call.core.random_below(length.max(1));
        let hash = call.core.db.get::<Hash>(args[1])?;
        call.out.bulk_or_null(hash.and_then(|hash| hash.at(index)).map(|(field, _)| field));
        return Ok(());
    }
    let count = integer(args[2])?;
    let with_values = match args.len() {
        3 => false,
        4 if is(args[3], "withvalues") => true,
        _ => return Err(Fault::SYNTAX),
    };
    if with_values && !(-i64::MAX / 2..=i64::MAX / 2).contains(&count) {
        return Err(Fault::OUT_OF_RANGE);
    }
    let length = call.core.db.get::<Hash>(args[1])?.map_or(0, Hash::len);
    let picks = super::set::pick(call, length, count)?;
    let Some(hash) = call.core.db.get::<Hash>(args[1])? else {
        call.out.array(0);
        return Ok(());
    };
    let paired = with_values && call.out.resp3;
    call.out.array(if with_values && !paired { picks.len() * 2 } else { picks.len() });
    for (field, value) in picks.into_iter().filter_map(|index| hash.at(index)) {
        if paired {
            call.out.array(2);
        }
        call.out.bulk(field);
        if with_values {
            call.out.bulk(value);
        }
    }
    Ok(())
}
