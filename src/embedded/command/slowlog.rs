//! SLOWLOG: the requests that took longest lately.

use super::integer;
use crate::embedded::fault::Fault;
use crate::embedded::spec::{Call, Outcome};

/// Entries that SLOWLOG GET shows when it is not told how many.
const SHOWN: i64 = 10;

pub fn get(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let count = match args.get(2) {
        None => SHOWN,
        Some(count) => integer(count)?,
    };
    if count < -1 {
        return Err(Fault::new("ERR count should be greater than or equal to -1"));
    }
    let entries = &call.core.slowlog.entries;
    let count = usize::try_from(count).map_or(entries.len(), |count| count.min(entries.len()));
    call.out.array(count);
    for entry in entries.iter().take(count) {
        call.out.array(6);
        call.out.count(entry.id as usize);
        call.out.count(entry.at as usize);
        call.out.count(entry.took_us as usize);
        call.out.array(entry.args.len());
        entry.args.iter().for_each(|arg| call.out.bulk(arg));
        call.out.bulk(b"unix");
        call.out.bulk(&entry.client_name);
    }
    Ok(())
}

pub fn len(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    call.out.count(call.core.slowlog.entries.len());
    Ok(())
}

pub fn reset(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    call.core.slowlog.entries.clear();
    call.out.ok();
    Ok(())
}
