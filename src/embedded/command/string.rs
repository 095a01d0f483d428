//! Strings.

use super::{clamp_range, float, integer, is};
use crate::embedded::fault::Fault;
use crate::embedded::keyspace::class;
use crate::embedded::number;
use crate::embedded::spec::{Call, Outcome};
use crate::embedded::value::Value;

/// Longest string that APPEND and SETRANGE make.
const STRING_BYTES_MAX: usize = 512 * 1024 * 1024;

pub fn get(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let value = call.core.db.get::<Vec<u8>>(args[1])?;
    call.out.bulk_or_null(value.map(Vec::as_slice));
    if value.is_some() {
        call.core.stats.keyspace_hits += 1
    } else {
        call.core.stats.keyspace_misses += 1
    }
    Ok(())
}

/// What SET and GETEX do about the deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deadline {
    Clear,
    Keep,
    At(u64),
}

#[derive(Default)]
struct SetOptions {
    only_new: bool,
    only_existing: bool,
    get: bool,
}

/// Reads an expiry argument into milliseconds since the epoch.
fn deadline(call: &Call<'_>, unit: &[u8], arg: &[u8], command: &str) -> Result<Deadline, Fault> {
    let invalid = || Fault::new(format!("ERR invalid expire time in '{command}' command"));
    let value = integer(arg)?;
    let seconds = is(unit, "ex") || is(unit, "exat");
    let relative = is(unit, "ex") || is(unit, "px");
    if value <= 0 {
        return Err(invalid());
    }
    let value = if seconds { value.checked_mul(1000).ok_or_else(invalid)? } else { value };
    let base = if relative { call.core.db.now_ms as i64 } else { 0 };
    value.checked_add(base).map(|at| Deadline::At(at as u64)).ok_or_else(invalid)
}

fn is_expiry_unit(arg: &[u8]) -> bool {
    ["ex", "px", "exat", "pxat"].iter().any(|unit| is(arg, unit))
}

fn set_options(call: &Call<'_>, args: &[&[u8]]) -> Result<(SetOptions, Deadline), Fault> {
    let mut options = SetOptions::default();
    let mut when = Deadline::Clear;
    let mut rest = args[3..].iter();
    while let Some(arg) = rest.next() {
        if is(arg, "nx") && !options.only_existing {
            options.only_new = true;
        } else if is(arg, "xx") && !options.only_new {
            options.only_existing = true;
        } else if is(arg, "get") {
            options.get = true;
        } else if is(arg, "keepttl") && when == Deadline::Clear {
            when = Deadline::Keep;
        } else if is_expiry_unit(arg) && when == Deadline::Clear {
            let value = rest.next().ok_or(Fault::SYNTAX)?;
            when = deadline(call, arg, value, "set")?;
        } else {
            return Err(Fault::SYNTAX);
        }
    }
    Ok((options, when))
}

/// Stores a string and sets its deadline.
fn store(call: &mut Call<'_>, key: &[u8], value: Vec<u8>, when: Deadline) {
    let db = &mut call.core.db;
    if let Deadline::At(at) = when {
        // A key whose time is over has to be gone before this is told.
        db.exists(key);
        db.effects.tell(&[b"SET", key, &value, b"PXAT", at.to_string().as_bytes()]);
    }
    db.put(key, Value::Text(value), when == Deadline::Keep);
    db.touch(key, class::STRING, "set");
    if let Deadline::At(at) = when {
        db.set_deadline(key, at);
        db.note(class::GENERIC, "expire", key);
        if at <= db.now_ms {
            db.remove(key);
            db.touch(key, class::GENERIC, "del");
            db.effects.tell(&[b"DEL", key]);
        }
    }
}

pub fn set(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (options, when) = set_options(call, args)?;
    let key = args[1];
    let old = if options.get { call.core.db.get::<Vec<u8>>(key)?.cloned() } else { None };
    let exists = if options.only_new || options.only_existing { call.core.db.exists(key) } else { false };
    let refused = (options.only_new && exists) || (options.only_existing && !exists);
    if !refused {
        store(call, key, args[2].to_vec(), when);
    }
    match (options.get, refused) {
        (true, _) => call.out.bulk_or_null(old.as_deref()),
        (false, true) => call.out.null(),
        (false, false) => call.out.ok(),
    }
    Ok(())
}

pub fn setnx(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let new = !call.core.db.exists(args[1]);
    if new {
        store(call, args[1], args[2].to_vec(), Deadline::Clear);
    }
    call.out.integer(i64::from(new));
    Ok(())
}

pub fn setex(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let when = deadline(call, b"ex", args[2], "setex")?;
    store(call, args[1], args[3].to_vec(), when);
    call.out.ok();
    Ok(())
}

pub fn psetex(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let when = deadline(call, b"px", args[2], "psetex")?;
    store(call, args[1], args[3].to_vec(), when);
    call.out.ok();
    Ok(())
}

pub fn getset(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let old = call.core.db.get::<Vec<u8>>(args[1])?.cloned();
    store(call, args[1], args[2].to_vec(), Deadline::Clear);
    call.out.bulk_or_null(old.as_deref());
    Ok(())
}

pub fn getdel(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let old = call.core.db.get::<Vec<u8>>(args[1])?;
    call.out.bulk_or_null(old.map(Vec::as_slice));
    if call.core.db.remove(args[1]).is_some() {
        call.core.db.touch(args[1], class::GENERIC, "del");
    }
    Ok(())
}

pub fn getex(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (persist, given) = match args.len() {
        2 => (false, None),
        3 if is(args[2], "persist") => (true, None),
        4 if is_expiry_unit(args[2]) => (false, Some(args[3])),
        _ => return Err(Fault::SYNTAX),
    };
    // The time is looked at only when there is something to read.
    if call.core.db.get::<Vec<u8>>(args[1])?.is_none() {
        call.out.null();
        return Ok(());
    }
    let when = match given {
        Some(given) => deadline(call, args[2], given, "getex")?,
        None if persist => Deadline::Clear,
        None => Deadline::Keep,
    };
    let db = &mut call.core.db;
    if let Some(value) = db.get::<Vec<u8>>(args[1])? {
        call.out.bulk(value);
    }
    match when {
        Deadline::Keep => {}
        Deadline::Clear => {
            if db.find(args[1]).is_some_and(|entry| entry.deadline_ms != 0) {
                db.set_deadline(args[1], 0);
                db.touch(args[1], class::GENERIC, "persist");
                db.effects.tell(&[b"PERSIST", args[1]]);
            }
        }
        Deadline::At(at) if at <= db.now_ms => {
            db.remove(args[1]);
            db.touch(args[1], class::GENERIC, "del");
            db.effects.tell(&[b"DEL", args[1]]);
        }
        Deadline::At(at) => {
            db.set_deadline(args[1], at);
            db.touch(args[1], class::GENERIC, "expire");
            db.effects.tell(&[b"PEXPIREAT", args[1], at.to_string().as_bytes()]);
        }
    }
    Ok(())
}

pub fn mget(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    call.out.array(args.len() - 1);
    for key in &args[1..] {
        let value = call.core.db.get::<Vec<u8>>(key).unwrap_or(None);
        call.out.bulk_or_null(value.map(Vec::as_slice));
    }
    Ok(())
}

fn pairs<'a>(args: &'a [&'a [u8]], command: &str) -> Result<std::slice::ChunksExact<'a, &'a [u8]>, Fault> {
    let pairs = args[1..].chunks_exact(2);
    if pairs.remainder().is_empty() { Ok(pairs) } else { Err(Fault::arity(command)) }
}

pub fn mset(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    for pair in pairs(args, "mset")? {
        store(call, pair[0], pair[1].to_vec(), Deadline::Clear);
    }
    call.out.ok();
    Ok(())
}

pub fn msetnx(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let pairs = pairs(args, "msetnx")?;
    let free = pairs.clone().all(|pair| !call.core.db.exists(pair[0]));
    if free {
        for pair in pairs {
            store(call, pair[0], pair[1].to_vec(), Deadline::Clear);
        }
    }
    call.out.integer(i64::from(free));
    Ok(())
}

fn increment(call: &mut Call<'_>, key: &[u8], by: i64) -> Outcome {
    let db = &mut call.core.db;
    let old = match db.get::<Vec<u8>>(key)? {
        Some(text) => integer(text)?,
        None => 0,
    };
    let new = old.checked_add(by).ok_or(Fault::OVERFLOW)?;
    *db.make::<Vec<u8>>(key)? = number::integer(new);
    db.touch(key, class::STRING, "incrby");
    call.out.integer(new);
    Ok(())
}

pub fn incr(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    increment(call, args[1], 1)
}

pub fn decr(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    increment(call, args[1], -1)
}

pub fn incrby(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    increment(call, args[1], integer(args[2])?)
}

pub fn decrby(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let by = integer(args[2])?.checked_neg().ok_or(Fault::new("ERR decrement would overflow"))?;
    increment(call, args[1], by)
}

pub fn incrbyfloat(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let db = &mut call.core.db;
    let old = db.get::<Vec<u8>>(args[1])?.map_or(&b"0"[..], Vec::as_slice);
    float(old)?;
    float(args[2])?;
    let new = number::add_decimal(old, args[2]).ok_or(Fault::NOT_FLOAT)?;
    if new.contains("inf") || new.contains("nan") {
        return Err(Fault::NAN);
    }
    *db.make::<Vec<u8>>(args[1])? = new.clone().into_bytes();
    db.touch(args[1], class::STRING, "incrbyfloat");
    db.effects.tell(&[b"SET", args[1], new.as_bytes(), b"KEEPTTL"]);
    call.out.bulk(new.as_bytes());
    Ok(())
}

fn check_length(length: usize) -> Outcome {
    if length > STRING_BYTES_MAX {
        return Err(Fault::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)"));
    }
    Ok(())
}

pub fn append(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let db = &mut call.core.db;
    let old = db.get::<Vec<u8>>(args[1])?.map_or(0, Vec::len);
    check_length(old.saturating_add(args[2].len()))?;
    let text = db.make::<Vec<u8>>(args[1])?;
    text.extend_from_slice(args[2]);
    call.out.count(text.len());
    db.touch(args[1], class::STRING, "append");
    Ok(())
}

pub fn strlen(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    call.out.count(call.core.db.get::<Vec<u8>>(args[1])?.map_or(0, Vec::len));
    Ok(())
}

pub fn getrange(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    let text = call.core.db.get::<Vec<u8>>(args[1])?.map_or(&b""[..], Vec::as_slice);
    let stop = if stop < 0 { (stop.saturating_add(text.len() as i64)).max(0) } else { stop };
    let both_before = start < 0 && integer(args[3])? < 0 && start > integer(args[3])?;
    let part = match clamp_range(start, stop, text.len()) {
        Some((from, to)) if !both_before => &text[from..to],
        _ => b"",
    };
    call.out.bulk(part);
    Ok(())
}

pub fn setrange(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let offset = integer(args[2])?;
    let offset = usize::try_from(offset).map_err(|_| Fault::new("ERR offset is out of range"))?;
    let db = &mut call.core.db;
    let old = db.get::<Vec<u8>>(args[1])?.map_or(0, Vec::len);
    if args[3].is_empty() {
        call.out.count(old);
        return Ok(());
    }
    let end = offset.saturating_add(args[3].len());
    check_length(end)?;
    let text = db.make::<Vec<u8>>(args[1])?;
    if text.len() < end {
        text.resize(end, 0);
    }
    text[offset..end].copy_from_slice(args[3]);
    call.out.count(text.len());
    db.touch(args[1], class::STRING, "setrange");
    Ok(())
}
