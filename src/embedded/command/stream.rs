//! Streams, without consumer groups and without waiting.

use super::{integer, is};
use crate::embedded::aof::effects::Effects;
use crate::embedded::fault::Fault;
use crate::embedded::keyspace::class;
use crate::embedded::packed::Packed;
use crate::embedded::reply::Output;
use crate::embedded::spec::{Call, Outcome};
use crate::embedded::stream::{Stream, StreamId, parse_u64};

const BAD_ID: &str = "ERR Invalid stream ID specified as stream command argument";
const NOT_ABOVE_ZERO: &str = "ERR The ID specified in XADD must be greater than 0-0";

fn parse_id(arg: &[u8], seq: u64) -> Result<StreamId, Fault> {
    StreamId::parse(arg, seq).ok_or(Fault::new(BAD_ID))
}

/// Which entries XADD and XTRIM cut away.
enum Threshold {
    Length(usize),
    Below(StreamId),
}

struct Trim {
    threshold: Threshold,
    /// For an approximate trim, which only takes whole groups, the most entries that it takes.
    limit: Option<usize>,
}

/// Entries that an approximate trim removes together, as many as Redis keeps in one node.
fn group_size(call: &Call<'_>) -> usize {
    let set = call.core.config.remembered("stream-node-max-entries");
    set.and_then(|text| text.parse().ok()).filter(|size| *size > 0).unwrap_or(100)
}

/// Reads `MAXLEN|MINID [=|~] threshold [LIMIT count]`; the trim and where the rest begins.
fn trim_options(args: &[&[u8]], mut at: usize, group: usize) -> Result<(Trim, usize), Fault> {
    let by_length = is(args[at], "maxlen");
    at += 1;
    let mut approximate = false;
    if let Some(sign) = args.get(at).filter(|arg| **arg == b"~" || **arg == b"=") {
        approximate = *sign == b"~";
        at += 1;
    }
    let arg = args.get(at).ok_or(Fault::SYNTAX)?;
    let threshold = if by_length {
        let length = integer(arg)?;
        let length = usize::try_from(length).map_err(|_| Fault::new("ERR The MAXLEN argument must be >= 0."))?;
        Threshold::Length(length)
    } else {
        Threshold::Below(parse_id(arg, 0)?)
    };
    at += 1;
    let mut limit = group.saturating_mul(100);
    if args.get(at).is_some_and(|arg| is(arg, "limit")) {
        let given = integer(args.get(at + 1).ok_or(Fault::SYNTAX)?)?;
        let given = usize::try_from(given).map_err(|_| Fault::new("ERR The LIMIT argument must be >= 0."))?;
        if !approximate {
            return Err(Fault::new("ERR syntax error, LIMIT cannot be used without the special ~ option"));
        }
        limit = if given == 0 { usize::MAX } else { given };
        at += 2;
    }
    Ok((Trim { threshold, limit: approximate.then_some(limit) }, at))
}

fn apply_trim(stream: &mut Stream, trim: &Trim, group: usize) -> usize {
    let length = stream.entries.len();
    match (&trim.threshold, trim.limit) {
        (Threshold::Length(kept), None) => stream.trim_to_length(*kept),
        (Threshold::Below(id), None) => stream.trim_below(*id),
        (threshold, Some(limit)) => {
            let excess = match threshold {
                Threshold::Length(kept) => length.saturating_sub(*kept),
                Threshold::Below(id) => stream.entries.range(..id).count(),
            };
            let excess = excess.min(limit);
            // What is gone already was the beginning of the oldest group.
            let gone = stream.entries_added.saturating_sub(length as u64) as usize;
            let oldest = group - gone % group;
            let whole = match excess {
                excess if excess == length => length,
                excess if excess < oldest => 0,
                excess => excess - (excess - oldest) % group,
            };
            stream.trim_to_length(length - whole)
        }
    }
}

/// The id that an entry gets, from `*`, `ms-*` or a full one.
fn next_id(arg: &[u8], stream: Option<&Stream>, now_ms: u64) -> Result<StreamId, Fault> {
    let last = stream.map_or(StreamId::MIN, |stream| stream.last_id);
    let small = Fault::new("ERR The ID specified in XADD is equal or smaller than the target stream top item");
    if arg == b"*" {
        let now = StreamId { ms: now_ms, seq: 0 };
        let exhausted = Fault::new("ERR The stream has exhausted the last possible ID, unable to add more items");
        return if now.ms > last.ms { Ok(now) } else { last.next().ok_or(exhausted) };
    }
    let id = match arg.strip_suffix(b"-*") {
        Some(ms) => {
            let ms = parse_u64(ms).ok_or(Fault::new(BAD_ID))?;
            match ms {
                ms if ms == last.ms => StreamId { ms, seq: last.seq.checked_add(1).ok_or(small.clone())? },
                ms => StreamId { ms, seq: 0 },
            }
        }
        None => parse_id(arg, 0)?,
    };
    if id == StreamId::MIN {
        return Err(Fault::new(NOT_ABOVE_ZERO));
    }
    if id <= last { Err(small) } else { Ok(id) }
}

pub fn xadd(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (mut at, mut make, mut trim) = (2, true, None);
    let group = group_size(call);
    while let Some(arg) = args.get(at) {
        if is(arg, "nomkstream") {
            make = false;
            at += 1;
        } else if is(arg, "maxlen") || is(arg, "minid") {
            if trim.is_some() {
                return Err(Fault::new(
                    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
                ));
            }
            let (read, next) = trim_options(args, at, group)?;
            (trim, at) = (Some(read), next);
        } else {
            break;
        }
    }
    let wanted = args.get(at).ok_or(Fault::new(BAD_ID))?;
    match wanted.strip_suffix(b"-*") {
        Some(ms) => drop(parse_u64(ms).ok_or(Fault::new(BAD_ID))?),
        None if *wanted == b"*" => {}
        None => drop(parse_id(wanted, 0)?),
    }
    let fields = args.get(at + 1..).unwrap_or_default();
    if fields.is_empty() || !fields.len().is_multiple_of(2) {
        return Err(Fault::arity("xadd"));
    }
    if StreamId::parse(wanted, 0) == Some(StreamId::MIN) {
        return Err(Fault::new(NOT_ABOVE_ZERO));
    }
    let now = call.core.db.now_ms;
    let db = &mut call.core.db;
    let stream = db.get::<Stream>(args[1])?;
    if stream.is_none() && !make {
        call.out.null();
        return Ok(());
    }
    let id = next_id(wanted, stream, now)?;
    let stream = db.make::<Stream>(args[1])?;
    let mut entry = Packed::default();
    fields.iter().for_each(|item| entry.push(item));
    stream.insert(id, entry);
    stream.last_id = id;
    stream.entries_added += 1;
    let trimmed = trim.map_or(0, |trim| apply_trim(stream, &trim, group));
    let left = stream.entries.len();
    db.touch(args[1], class::STREAM, "xadd");
    let id = id.to_string();
    let words = [b"XADD", args[1], id.as_bytes()].into_iter();
    db.effects.tell(&words.chain(fields.iter().copied()).collect::<Vec<_>>());
    if trimmed > 0 {
        db.note(class::STREAM, "xtrim", args[1]);
        tell_trim(&mut db.effects, args[1], left);
    }
    call.out.bulk(id.as_bytes());
    Ok(())
}

/// How much an approximate trim takes is this engine's own affair, so what is left is told.
fn tell_trim(effects: &mut Effects, key: &[u8], left: usize) {
    effects.tell(&[b"XTRIM", key, b"MAXLEN", b"=", left.to_string().as_bytes()]);
}

pub fn xtrim(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    if !is(args[2], "maxlen") && !is(args[2], "minid") {
        return Err(Fault::SYNTAX);
    }
    let group = group_size(call);
    let (trim, end) = trim_options(args, 2, group)?;
    if end != args.len() {
        return Err(Fault::SYNTAX);
    }
    let db = &mut call.core.db;
    let stream = db.get_mut::<Stream>(args[1])?;
    let (trimmed, left) = stream.map_or((0, 0), |stream| (apply_trim(stream, &trim, group), stream.entries.len()));
    if trimmed > 0 {
        db.touch(args[1], class::STREAM, "xtrim");
        tell_trim(&mut db.effects, args[1], left);
    }
    call.out.count(trimmed);
    Ok(())
}

pub fn xlen(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    call.out.count(call.core.db.get::<Stream>(args[1])?.map_or(0, |stream| stream.entries.len()));
    Ok(())
}

/// An end of XRANGE: `-`, `+`, an id, or `(` and an id.
fn bound(arg: &[u8], seq: u64, upper: bool) -> Result<StreamId, Fault> {
    match arg {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        [b'(', id @ ..] => {
            let id = parse_id(id, seq)?;
            let moved = if upper { id.previous() } else { id.next() };
            let side = if upper { "end" } else { "start" };
            moved.ok_or_else(|| Fault::new(format!("ERR invalid {side} ID for the interval")))
        }
        _ => parse_id(arg, seq),
    }
}

fn write_entry(out: &mut Output, id: &StreamId, entry: &Packed) {
    out.array(2);
    out.bulk(id.to_string().as_bytes());
    out.array(entry.len());
    entry.iter().for_each(|(_, item)| out.bulk(item));
}

fn write_entries(out: &mut Output, entries: &[(&StreamId, &Packed)]) {
    out.array(entries.len());
    entries.iter().for_each(|(id, entry)| write_entry(out, id, entry));
}

fn range(call: &mut Call<'_>, args: &[&[u8]], backwards: bool) -> Outcome {
    let (low, high) = if backwards { (args[3], args[2]) } else { (args[2], args[3]) };
    let (low, high) = (bound(low, 0, false)?, bound(high, u64::MAX, true)?);
    let count = match &args[4..] {
        [] => usize::MAX,
        [word, count] if is(word, "count") => integer(count)?.max(0) as usize,
        _ => return Err(Fault::SYNTAX),
    };
    let stream = call.core.db.get::<Stream>(args[1])?;
    if stream.is_some() && count == 0 {
        call.out.null_array();
        return Ok(());
    }
    let found: Vec<_> = match stream {
        Some(stream) if low <= high && backwards => stream.entries.range(low..=high).rev().take(count).collect(),
        Some(stream) if low <= high => stream.entries.range(low..=high).take(count).collect(),
        _ => Vec::new(),
    };
    write_entries(call.out, &found);
    Ok(())
}

pub fn xrange(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    range(call, args, false)
}

pub fn xrevrange(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    range(call, args, true)
}

pub fn xdel(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let db = &mut call.core.db;
    let mut removed = 0;
    // Without a stream the ids do not matter.
    let ids = match db.get::<Stream>(args[1])? {
        Some(_) => args[2..].iter().map(|arg| parse_id(arg, 0)).collect::<Result<Vec<_>, _>>()?,
        None => Vec::new(),
    };
    if let Some(stream) = db.get_mut::<Stream>(args[1])? {
        for id in ids {
            if stream.remove(id) {
                stream.max_deleted_id = stream.max_deleted_id.max(id);
                removed += 1;
            }
        }
    }
    if removed > 0 {
        db.touch(args[1], class::STREAM, "xdel");
    }
    call.out.integer(removed);
    Ok(())
}

/// Reads the options of XREAD: how many entries of each stream, and where the keys begin.
fn read_options(args: &[&[u8]], in_script: bool) -> Result<(usize, usize), Fault> {
    let (mut count, mut at) = (usize::MAX, 1);
    loop {
        let arg = args.get(at).ok_or(Fault::SYNTAX)?;
        if is(arg, "streams") {
            break;
        }
        let value = args.get(at + 1).ok_or(Fault::SYNTAX)?;
        if is(arg, "count") {
            let given = integer(value)?;
            count = if given > 0 { given as usize } else { usize::MAX };
        } else if is(arg, "block") && !in_script {
            return Err(Fault::new("ERR BLOCK is not supported by the embedded store"));
        } else if is(arg, "block") {
            // In a script it never waits, as in Redis 7.2 and later.
            let given = integer(value).map_err(|_| Fault::new("ERR timeout is not an integer or out of range"))?;
            if given < 0 {
                return Err(Fault::new("ERR timeout is negative"));
            }
        } else {
            return Err(Fault::SYNTAX);
        }
        at += 2;
    }
    let rest = args.len() - at - 1;
    if rest == 0 || !rest.is_multiple_of(2) {
        return Err(Fault::new(
            "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
        ));
    }
    Ok((count, at + 1))
}

pub fn xread(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (count, at) = read_options(args, call.core.script.running)?;
    let (keys, ids) = args[at..].split_at((args.len() - at) / 2);
    let mut results = Output::new(call.out.resp3);
    let mut streams = 0;
    for (key, id) in keys.iter().zip(ids) {
        let stream = call.core.db.get::<Stream>(key)?;
        let last = stream.map_or(StreamId::MIN, |stream| stream.last_id);
        let after = if *id == b"$" { last } else { parse_id(id, 0)? };
        let Some((stream, first)) = stream.and_then(|stream| Some((stream, after.next()?))) else {
            continue;
        };
        let found: Vec<_> = stream.entries.range(first..).take(count).collect();
        if found.is_empty() {
            continue;
        }
        if !results.resp3 {
            results.array(2);
        }
        results.bulk(key);
        write_entries(&mut results, &found);
        streams += 1;
    }
    match (streams, call.out.resp3) {
        (0, _) => call.out.null_array(),
        (_, true) => call.out.map(streams),
        (_, false) => call.out.array(streams),
    }
    call.out.buffer.append(&mut results.buffer);
    Ok(())
}

pub fn xsetid(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let id = parse_id(args[2], 0)?;
    let (mut added, mut deleted) = (None, None);
    for pair in args[3..].chunks(2) {
        let value = *pair.get(1).ok_or(Fault::SYNTAX)?;
        if is(pair[0], "entriesadded") {
            let number = integer(value)?;
            added = Some(u64::try_from(number).map_err(|_| Fault::new("ERR entries_added must be positive"))?);
        } else if is(pair[0], "maxdeletedid") {
            let given = parse_id(value, 0)?;
            if given > id {
                return Err(Fault::new(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            deleted = Some(given);
        } else {
            return Err(Fault::SYNTAX);
        }
    }
    let db = &mut call.core.db;
    let stream = db.get_mut::<Stream>(args[1])?.ok_or(Fault::NO_KEY)?;
    if id < stream.max_deleted_id {
        return Err(Fault::new("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"));
    }
    if stream.entries.last_key_value().is_some_and(|(top, _)| id < *top) {
        return Err(Fault::new("ERR The ID specified in XSETID is smaller than the target stream top item"));
    }
    if added.is_some_and(|added| added < stream.entries.len() as u64) {
        return Err(Fault::new("ERR The entries_added specified in XSETID is smaller than the target stream length"));
    }
    stream.last_id = id;
    stream.entries_added = added.unwrap_or(stream.entries_added);
    stream.max_deleted_id = deleted.unwrap_or(stream.max_deleted_id);
    db.touch(args[1], class::STREAM, "xsetid");
    call.out.ok();
    Ok(())
}

pub fn xinfo_stream(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (full, count) = match &args[3..] {
        [] => (false, 0),
        [word] if is(word, "full") => (true, 10),
        [word, limit, count] if is(word, "full") && is(limit, "count") => (true, integer(count)?.max(0) as usize),
        _ => return Err(Fault::SYNTAX),
    };
    let group = group_size(call);
    let Some(stream) = call.core.db.get::<Stream>(args[2])? else {
        return Err(Fault::NO_KEY);
    };
    let out = &mut *call.out;
    let first = stream.entries.first_key_value();
    // There is no such tree here; as many keys as Redis would have.
    let groups = stream.entries.len().div_ceil(group) as i64;
    out.map(if full { 9 } else { 10 });
    for (name, number) in
        [("length", stream.entries.len() as i64), ("radix-tree-keys", groups), ("radix-tree-nodes", groups + 1)]
    {
        out.bulk(name.as_bytes());
        out.integer(number);
    }
    for (name, id) in [("last-generated-id", stream.last_id), ("max-deleted-entry-id", stream.max_deleted_id)] {
        out.bulk(name.as_bytes());
        out.bulk(id.to_string().as_bytes());
    }
    out.bulk(b"entries-added");
    out.integer(stream.entries_added as i64);
    out.bulk(b"recorded-first-entry-id");
    out.bulk(first.map_or(StreamId::MIN, |(id, _)| *id).to_string().as_bytes());
    if full {
        let count = if count == 0 { usize::MAX } else { count };
        out.bulk(b"entries");
        write_entries(out, &stream.entries.iter().take(count).collect::<Vec<_>>());
        out.bulk(b"groups");
        out.array(0);
        return Ok(());
    }
    out.bulk(b"groups");
    out.integer(0);
    for (name, entry) in [("first-entry", first), ("last-entry", stream.entries.last_key_value())] {
        out.bulk(name.as_bytes());
        match entry {
            Some((id, entry)) => write_entry(out, id, entry),
            None => out.null(),
        }
    }
    Ok(())
}
