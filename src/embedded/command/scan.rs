//! SCAN and its relatives.
//!
//! A cursor is the number of positions still to visit. Tables are walked from their end: a removal fills its gap with
//! the last element, which was visited already, so whatever stays in the table during a scan is found by it.

use super::{integer, is};
use crate::embedded::fault::Fault;
use crate::embedded::glob;
use crate::embedded::hash::Hash;
use crate::embedded::number;
use crate::embedded::set::Set;
use crate::embedded::spec::{Call, Outcome};
use crate::embedded::stream::parse_u64;
use crate::embedded::zset::Zset;

/// Most elements of a collection that is answered in one piece, as Redis does for its small forms.
const WHOLE_MAX: usize = 128;

struct Scan<'a> {
    cursor: u64,
    pattern: Option<&'a [u8]>,
    count: usize,
    kind: Option<Vec<u8>>,
    no_values: bool,
}

/// Reads a cursor; nothing at all is the beginning.
fn parse_cursor(arg: &[u8]) -> Result<u64, Fault> {
    if arg.is_empty() { Ok(0) } else { parse_u64(arg).ok_or(Fault::CURSOR) }
}

impl<'a> Scan<'a> {
    fn read(args: &'a [&'a [u8]], at: usize) -> Result<Scan<'a>, Fault> {
        let cursor = parse_cursor(args[at])?;
        let mut scan = Scan { cursor, pattern: None, count: 10, kind: None, no_values: false };
        let mut rest = args[at + 1..].iter();
        while let Some(arg) = rest.next() {
            if is(arg, "match") {
                scan.pattern = Some(rest.next().ok_or(Fault::SYNTAX)?);
            } else if is(arg, "count") {
                let count = integer(rest.next().ok_or(Fault::SYNTAX)?)?;
                scan.count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(Fault::SYNTAX)?;
            } else if at == 1 && is(arg, "type") {
                scan.kind = Some(rest.next().ok_or(Fault::SYNTAX)?.to_ascii_lowercase());
            } else if at == 2 && is(arg, "novalues") {
                scan.no_values = true;
            } else {
                return Err(Fault::SYNTAX);
            }
        }
        Ok(scan)
    }

    /// The scan of one key; without the key all but the cursor is left unread, and the answer is written.
    fn of_key(call: &mut Call<'_>, args: &'a [&'a [u8]]) -> Result<Option<Scan<'a>>, Fault> {
        parse_cursor(args[2])?;
        if call.core.db.find(args[1]).is_none() {
            write(call, 0, &[]);
            return Ok(None);
        }
        Scan::read(args, 2).map(Some)
    }

    fn matches(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }

    /// The positions of this step, and the cursor that follows.
    fn step(&self, length: usize, whole: bool) -> (std::ops::Range<usize>, u64) {
        let end = if self.cursor == 0 { length } else { length.min(self.cursor as usize) };
        let start = if whole { 0 } else { end.saturating_sub(self.count) };
        (start..end, start as u64)
    }
}

fn write(call: &mut Call<'_>, cursor: u64, items: &[Vec<u8>]) {
    call.out.array(2);
    call.out.bulk(cursor.to_string().as_bytes());
    call.out.array(items.len());
    items.iter().for_each(|item| call.out.bulk(item));
}

pub fn scan(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let scan = Scan::read(args, 1)?;
    let (range, next) = scan.step(call.core.db.len(), false);
    let keys: Vec<Vec<u8>> =
        range.rev().filter_map(|index| call.core.db.at(index)).map(|(key, _)| key.to_vec()).collect();
    let mut found = Vec::new();
    for key in keys {
        // Looking at a key removes it when it has expired.
        let Some(entry) = call.core.db.find(&key) else {
            continue;
        };
        let wanted = scan.kind.as_ref().is_none_or(|kind| kind == entry.value.type_name().as_bytes());
        if wanted && scan.matches(&key) {
            found.push(key);
        }
    }
    write(call, next, &found);
    Ok(())
}

pub fn hscan(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let Some(scan) = Scan::of_key(call, args)? else { return Ok(()) };
    let mut items = Vec::new();
    let mut next = 0;
    if let Some(hash) = call.core.db.get::<Hash>(args[1])? {
        let (range, after) = scan.step(hash.len(), matches!(hash, Hash::Small(_)));
        next = after;
        let pairs: Box<dyn Iterator<Item = (&[u8], &[u8])>> = match hash {
            Hash::Small(_) => hash.iter(),
            Hash::Large(..) => Box::new(range.rev().filter_map(|index| hash.at(index))),
        };
        for (field, value) in pairs.filter(|(field, _)| scan.matches(field)) {
            items.push(field.to_vec());
            if !scan.no_values {
                items.push(value.to_vec());
            }
        }
    }
    write(call, next, &items);
    Ok(())
}

pub fn sscan(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let Some(scan) = Scan::of_key(call, args)? else { return Ok(()) };
    let mut items = Vec::new();
    let mut next = 0;
    if let Some(set) = call.core.db.get::<Set>(args[1])? {
        // A small set moves its members when one is removed, so it is never cut into steps.
        let whole = !matches!(set, Set::Members { small: false, .. });
        let (range, after) = scan.step(set.len(), whole);
        next = after;
        let members = range.rev().filter_map(|index| set.at(index));
        items = members.filter(|member| scan.matches(member)).collect();
        if whole {
            items.reverse();
        }
    }
    write(call, next, &items);
    Ok(())
}

pub fn zscan(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let Some(scan) = Scan::of_key(call, args)? else { return Ok(()) };
    let mut items = Vec::new();
    let mut next = 0;
    if let Some(zset) = call.core.db.get::<Zset>(args[1])? {
        let whole = zset.len() <= WHOLE_MAX && scan.cursor == 0;
        let (range, after) = scan.step(zset.len(), whole);
        next = after;
        let members: Vec<_> =
            if whole { zset.iter().collect() } else { range.rev().filter_map(|index| zset.at(index)).collect() };
        for member in members.into_iter().filter(|member| scan.matches(member.name())) {
            items.push(member.name().to_vec());
            items.push(number::double(member.score()).into_bytes());
        }
    }
    write(call, next, &items);
    Ok(())
}
