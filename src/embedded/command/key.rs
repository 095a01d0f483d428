//! Keys, whatever they hold.

use super::{integer, is};
use crate::embedded::fault::Fault;
use crate::embedded::glob;
use crate::embedded::keyspace::class;
use crate::embedded::spec::{Call, Outcome};

pub fn del(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let db = &mut call.core.db;
    let mut removed = 0;
    for key in &args[1..] {
        if db.remove(key).is_some() {
            db.touch(key, class::GENERIC, "del");
            removed += 1;
        }
    }
    call.out.integer(removed);
    Ok(())
}

pub fn exists(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let count = args[1..].iter().filter(|key| call.core.db.exists(key)).count();
    call.out.count(count);
    Ok(())
}

pub fn type_of(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let name = call.core.db.find(args[1]).map_or("none", |entry| entry.value.type_name());
    call.out.status(name.as_bytes());
    Ok(())
}

fn move_key(call: &mut Call<'_>, args: &[&[u8]], only_free: bool) -> Result<bool, Fault> {
    let db = &mut call.core.db;
    if !db.exists(args[1]) {
        return Err(Fault::NO_KEY);
    }
    if args[1] == args[2] {
        return Ok(!only_free);
    }
    if only_free && db.exists(args[2]) {
        return Ok(false);
    }
    let Some(entry) = db.remove(args[1]) else {
        return Err(Fault::NO_KEY);
    };
    db.put(args[2], entry.value, false);
    db.set_deadline(args[2], entry.deadline_ms);
    db.touch(args[1], class::GENERIC, "rename_from");
    db.touch(args[2], class::GENERIC, "rename_to");
    Ok(true)
}

pub fn rename(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    move_key(call, args, false)?;
    call.out.ok();
    Ok(())
}

pub fn renamenx(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let moved = move_key(call, args, true)?;
    call.out.integer(i64::from(moved));
    Ok(())
}

pub fn copy(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let mut replace = false;
    let mut rest = args[3..].iter();
    while let Some(arg) = rest.next() {
        if is(arg, "replace") {
            replace = true;
        } else if is(arg, "db") {
            let number = integer(rest.next().ok_or(Fault::SYNTAX)?)?;
            if number != 0 {
                return Err(Fault::new("ERR DB index is out of range"));
            }
        } else {
            return Err(Fault::SYNTAX);
        }
    }
    if args[1] == args[2] {
        return Err(Fault::new("ERR source and destination objects are the same"));
    }
    let db = &mut call.core.db;
    let taken = db.exists(args[2]) && !replace;
    let source = if taken { None } else { db.find(args[1]).cloned() };
    let copied = source.is_some();
    if let Some(entry) = source {
        db.put(args[2], entry.value, false);
        db.set_deadline(args[2], entry.deadline_ms);
        db.touch(args[2], class::GENERIC, "copy_to");
    }
    call.out.integer(i64::from(copied));
    Ok(())
}

pub fn keys(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let found: Vec<&[u8]> = call.core.db.iter().map(|(key, _)| key).filter(|key| glob::matches(args[1], key)).collect();
    call.out.array(found.len());
    found.into_iter().for_each(|key| call.out.bulk(key));
    Ok(())
}

pub fn randomkey(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    loop {
        let length = call.core.db.len();
        if length == 0 {
            call.out.null();
            return Ok(());
        }
        let index = call.core.random_below(length);
        let key = call.core.db.at(index).map(|(key, _)| key.to_vec()).unwrap_or_default();
        // A pick that has expired is removed by the look and another one is drawn.
        if call.core.db.exists(&key) {
            call.out.bulk(&key);
            return Ok(());
        }
    }
}

pub fn object_encoding(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let encoding = call.core.db.find(args[2]).map(|entry| entry.value.encoding());
    call.out.bulk_or_null(encoding.map(str::as_bytes));
    Ok(())
}

/// Values are never shared.
pub fn object_refcount(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    if call.core.db.exists(args[2]) {
        call.out.integer(1);
    } else {
        call.out.null();
    }
    Ok(())
}
