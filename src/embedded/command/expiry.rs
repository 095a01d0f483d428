//! Deadlines of keys.

use super::integer;
use crate::embedded::fault::Fault;
use crate::embedded::keyspace::class;
use crate::embedded::spec::{Call, Outcome};

/// Conditions of EXPIRE.
#[derive(Default)]
struct Conditions {
    only_without: bool,
    only_with: bool,
    only_later: bool,
    only_earlier: bool,
}

impl Conditions {
    fn read(args: &[&[u8]]) -> Result<Conditions, Fault> {
        let mut conditions = Conditions::default();
        for arg in args {
            match arg.to_ascii_lowercase().as_slice() {
                b"nx" => conditions.only_without = true,
                b"xx" => conditions.only_with = true,
                b"gt" => conditions.only_later = true,
                b"lt" => conditions.only_earlier = true,
                _ => {
                    let option = String::from_utf8_lossy(arg).into_owned();
                    return Err(Fault::new(format!("ERR Unsupported option {option}")));
                }
            }
        }
        let others = conditions.only_with || conditions.only_later || conditions.only_earlier;
        if conditions.only_without && others {
            return Err(Fault::new("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if conditions.only_later && conditions.only_earlier {
            return Err(Fault::new("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(conditions)
    }

    /// Whether a deadline may take the place of the old one; a key without one lives for ever.
    fn allow(&self, old: u64, new: i64) -> bool {
        let old = if old == 0 { None } else { Some(old as i64) };
        !(self.only_without && old.is_some()
            || self.only_with && old.is_none()
            || self.only_later && old.is_none_or(|old| new <= old)
            || self.only_earlier && old.is_some_and(|old| new >= old))
    }
}

fn expire_with(call: &mut Call<'_>, args: &[&[u8]], seconds: bool, relative: bool, name: &str) -> Outcome {
    let invalid = || Fault::new(format!("ERR invalid expire time in '{name}' command"));
    let conditions = Conditions::read(&args[3..])?;
    let value = integer(args[2])?;
    let value = if seconds { value.checked_mul(1000).ok_or_else(invalid)? } else { value };
    let db = &mut call.core.db;
    let base = if relative { db.now_ms as i64 } else { 0 };
    let deadline = value.checked_add(base).ok_or_else(invalid)?;
    let old = db.find(args[1]).map(|entry| entry.deadline_ms);
    if !old.is_some_and(|old| conditions.allow(old, deadline)) {
        call.out.integer(0);
        return Ok(());
    }
    if deadline <= db.now_ms as i64 {
        db.remove(args[1]);
        db.touch(args[1], class::GENERIC, "del");
        db.effects.tell(&[b"DEL", args[1]]);
    } else {
        db.set_deadline(args[1], deadline as u64);
        db.touch(args[1], class::GENERIC, "expire");
        db.effects.tell(&[b"PEXPIREAT", args[1], deadline.to_string().as_bytes()]);
    }
    call.out.integer(1);
    Ok(())
}

pub fn expire(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    expire_with(call, args, true, true, "expire")
}

pub fn pexpire(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    expire_with(call, args, false, true, "pexpire")
}

pub fn expireat(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    expire_with(call, args, true, false, "expireat")
}

pub fn pexpireat(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    expire_with(call, args, false, false, "pexpireat")
}

/// Answers -2 for no key, -1 for no deadline, else what `show` makes of it.
fn deadline(call: &mut Call<'_>, key: &[u8], show: impl Fn(u64, u64) -> u64) -> Outcome {
    let now = call.core.db.now_ms;
    let answer = match call.core.db.find(key).map(|entry| entry.deadline_ms) {
        None => -2,
        Some(0) => -1,
        Some(deadline) => show(deadline, now) as i64,
    };
    call.out.integer(answer);
    Ok(())
}

pub fn ttl(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    deadline(call, args[1], |deadline, now| (deadline.saturating_sub(now) + 500) / 1000)
}

pub fn pttl(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    deadline(call, args[1], |deadline, now| deadline.saturating_sub(now))
}

pub fn expiretime(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    deadline(call, args[1], |deadline, _| (deadline + 500) / 1000)
}

pub fn pexpiretime(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    deadline(call, args[1], |deadline, _| deadline)
}

pub fn persist(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let db = &mut call.core.db;
    let had = db.find(args[1]).is_some_and(|entry| entry.deadline_ms != 0);
    if had {
        db.set_deadline(args[1], 0);
        db.touch(args[1], class::GENERIC, "persist");
    }
    call.out.integer(i64::from(had));
    Ok(())
}
