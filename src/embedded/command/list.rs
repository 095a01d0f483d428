//! Lists.

use super::{clamp_range, integer, is, positive};
use crate::embedded::fault::Fault;
use crate::embedded::keyspace::class;
use crate::embedded::list::List;
use crate::embedded::spec::{Call, Outcome};

/// A position that counts from the end when negative; none outside the list.
fn position(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index + length as i64 } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}

fn push(call: &mut Call<'_>, args: &[&[u8]], front: bool, only_existing: bool) -> Outcome {
    let db = &mut call.core.db;
    if only_existing && db.get::<List>(args[1])?.is_none() {
        call.out.integer(0);
        return Ok(());
    }
    let list = db.make::<List>(args[1])?;
    args[2..].iter().for_each(|item| list.push(item, front));
    call.out.count(list.len());
    db.touch(args[1], class::LIST, if front { "lpush" } else { "rpush" });
    Ok(())
}

pub fn lpush(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    push(call, args, true, false)
}

pub fn rpush(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    push(call, args, false, false)
}

pub fn lpushx(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    push(call, args, true, true)
}

pub fn rpushx(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    push(call, args, false, true)
}

/// Takes up to `count` items from one end and removes the key when nothing is left.
fn take(call: &mut Call<'_>, key: &[u8], front: bool, count: usize) -> Result<Option<Vec<Box<[u8]>>>, Fault> {
    let db = &mut call.core.db;
    let Some(list) = db.get_mut::<List>(key)? else {
        return Ok(None);
    };
    let count = count.min(list.len());
    let items: Vec<_> = std::iter::from_fn(|| list.pop(front)).take(count).collect();
    if !items.is_empty() {
        db.touch(key, class::LIST, if front { "lpop" } else { "rpop" });
        db.remove_if_empty(key);
    }
    Ok(Some(items))
}

fn write_items(call: &mut Call<'_>, items: &[Box<[u8]>]) {
    call.out.array(items.len());
    items.iter().for_each(|item| call.out.bulk(item));
}

fn pop(call: &mut Call<'_>, args: &[&[u8]], front: bool, name: &str) -> Outcome {
    match args.len() {
        2 => {
            let items = take(call, args[1], front, 1)?;
            call.out.bulk_or_null(items.as_ref().and_then(|items| items.first()).map(|item| &**item));
        }
        3 => {
            let count = positive(args[2])?;
            match take(call, args[1], front, count)? {
                Some(items) => write_items(call, &items),
                None => call.out.null_array(),
            }
        }
        _ => return Err(Fault::arity(name)),
    }
    Ok(())
}

pub fn lpop(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    pop(call, args, true, "lpop")
}

pub fn rpop(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    pop(call, args, false, "rpop")
}

pub fn llen(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    call.out.count(call.core.db.get::<List>(args[1])?.map_or(0, List::len));
    Ok(())
}

pub fn lrange(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    let list = call.core.db.get::<List>(args[1])?;
    let range = list.and_then(|list| Some((list, clamp_range(start, stop, list.len())?)));
    let Some((list, (from, to))) = range else {
        call.out.array(0);
        return Ok(());
    };
    call.out.array(to - from);
    list.range(from, to - from).for_each(|item| call.out.bulk(item));
    Ok(())
}

pub fn lindex(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let Some(list) = call.core.db.get::<List>(args[1])? else {
        call.out.null();
        return Ok(());
    };
    let index = integer(args[2])?;
    call.out.bulk_or_null(position(index, list.len()).and_then(|at| list.get(at)));
    Ok(())
}

pub fn lset(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let db = &mut call.core.db;
    let Some(list) = db.get_mut::<List>(args[1])? else {
        return Err(Fault::NO_KEY);
    };
    let index = integer(args[2])?;
    let at = position(index, list.len()).ok_or(Fault::INDEX)?;
    list.set(at, args[3]);
    db.touch(args[1], class::LIST, "lset");
    call.out.ok();
    Ok(())
}

pub fn linsert(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let after = if is(args[2], "after") {
        1
    } else if is(args[2], "before") {
        0
    } else {
        return Err(Fault::SYNTAX);
    };
    let db = &mut call.core.db;
    let Some(list) = db.get_mut::<List>(args[1])? else {
        call.out.integer(0);
        return Ok(());
    };
    let found = list.iter().position(|item| item == args[3]);
    match found {
        Some(at) => {
            list.insert(at + after, args[4]);
            call.out.count(list.len());
            db.touch(args[1], class::LIST, "linsert");
        }
        None => call.out.integer(-1),
    }
    Ok(())
}

pub fn lrem(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let count = integer(args[2])?;
    let db = &mut call.core.db;
    let Some(list) = db.get_mut::<List>(args[1])? else {
        call.out.integer(0);
        return Ok(());
    };
    let limit = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let found = list.iter().filter(|item| *item == args[3]).count();
    let removed = found.min(limit);
    // Counting from the tail is skipping the first matches.
    let skipped = if count < 0 { found - removed } else { 0 };
    let mut seen = 0;
    if removed > 0 {
        list.retain(|item| {
            let matching = **item == *args[3];
            seen += usize::from(matching);
            !(matching && seen > skipped && seen <= skipped + removed)
        });
        db.touch(args[1], class::LIST, "lrem");
        db.remove_if_empty(args[1]);
    }
    call.out.count(removed);
    Ok(())
}

pub fn ltrim(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    let db = &mut call.core.db;
    if let Some(list) = db.get_mut::<List>(args[1])? {
        let (from, to) = clamp_range(start, stop, list.len()).unwrap_or((0, 0));
        list.keep(from, to - from);
        db.touch(args[1], class::LIST, "ltrim");
        db.remove_if_empty(args[1]);
    }
    call.out.ok();
    Ok(())
}

fn side(arg: &[u8]) -> Result<bool, Fault> {
    if is(arg, "left") {
        Ok(true)
    } else if is(arg, "right") {
        Ok(false)
    } else {
        Err(Fault::SYNTAX)
    }
}

/// Moves an item within its list, which never is empty meanwhile, so that the key keeps its deadline.
fn rotate(call: &mut Call<'_>, key: &[u8], take_front: bool, put_front: bool) -> Outcome {
    let db = &mut call.core.db;
    let Some(list) = db.get_mut::<List>(key)? else { return Ok(()) };
    let Some(item) = list.pop(take_front) else { return Ok(()) };
    list.push(&item, put_front);
    db.touch(key, class::LIST, if take_front { "lpop" } else { "rpop" });
    db.touch(key, class::LIST, if put_front { "lpush" } else { "rpush" });
    call.out.bulk(&item);
    Ok(())
}

fn move_item(call: &mut Call<'_>, from: &[u8], to: &[u8], take_front: bool, put_front: bool) -> Outcome {
    if call.core.db.get::<List>(from)?.is_none() {
        call.out.null();
        return Ok(());
    }
    call.core.db.get::<List>(to)?;
    if from == to {
        return rotate(call, from, take_front, put_front);
    }
    let item = take(call, from, take_front, 1)?.and_then(|items| items.into_iter().next());
    let Some(item) = item else { return Ok(()) };
    call.core.db.make::<List>(to)?.push(&item, put_front);
    call.core.db.touch(to, class::LIST, if put_front { "lpush" } else { "rpush" });
    call.out.bulk(&item);
    Ok(())
}

pub fn lmove(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    move_item(call, args[1], args[2], side(args[3])?, side(args[4])?)
}

pub fn rpoplpush(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    move_item(call, args[1], args[2], false, true)
}

/// Options of LPOS: which match to begin with, how many to find, how many items to look at.
fn lpos_options(args: &[&[u8]]) -> Result<(i64, Option<usize>, usize), Fault> {
    let (mut rank, mut count, mut limit) = (1, None, 0);
    for pair in args[3..].chunks(2) {
        let value = *pair.get(1).ok_or(Fault::SYNTAX)?;
        if is(pair[0], "rank") {
            rank = integer(value)?;
            if rank == 0 {
                return Err(Fault::new(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                     negative to start from the end of the list",
                ));
            }
            if rank == i64::MIN {
                return Err(Fault::OUT_OF_RANGE);
            }
        } else if is(pair[0], "count") {
            count = Some(positive(value).map_err(|_| Fault::new("ERR COUNT can't be negative"))?);
        } else if is(pair[0], "maxlen") {
            limit = positive(value).map_err(|_| Fault::new("ERR MAXLEN can't be negative"))?;
        } else {
            return Err(Fault::SYNTAX);
        }
    }
    Ok((rank, count, if limit == 0 { usize::MAX } else { limit }))
}

pub fn lpos(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (rank, count, limit) = lpos_options(args)?;
    let wanted = match count {
        Some(0) => usize::MAX,
        Some(count) => count,
        None => 1,
    };
    let items: Vec<&[u8]> = call.core.db.get::<List>(args[1])?.iter().flat_map(|list| list.iter()).collect();
    let backwards = rank < 0;
    let order: Box<dyn Iterator<Item = usize>> =
        if backwards { Box::new((0..items.len()).rev()) } else { Box::new(0..items.len()) };
    let found: Vec<usize> = order
        .take(limit)
        .filter(|at| items[*at] == args[2])
        .skip(rank.unsigned_abs() as usize - 1)
        .take(wanted)
        .collect();
    match (count, found.first()) {
        (None, Some(at)) => call.out.count(*at),
        (None, None) => call.out.null(),
        (Some(_), _) => {
            call.out.array(found.len());
            found.into_iter().for_each(|at| call.out.count(at));
        }
    }
    Ok(())
}

/// Reads `numkeys key...` of LMPOP and ZMPOP; the keys and where the rest begins.
pub fn counted_keys<'a>(args: &'a [&'a [u8]], at: usize) -> Result<(&'a [&'a [u8]], usize), Fault> {
    let count = integer(args[at]).ok().filter(|count| *count > 0);
    let count = count.ok_or(Fault::new("ERR numkeys should be greater than 0"))? as usize;
    let end = (at + 1).saturating_add(count);
    if end > args.len() {
        return Err(Fault::SYNTAX);
    }
    Ok((&args[at + 1..end], end))
}

/// Reads `[COUNT count]` at the end of LMPOP and ZMPOP.
pub fn pop_count(args: &[&[u8]]) -> Result<usize, Fault> {
    match args {
        [] => Ok(1),
        [word, count] if is(word, "count") => {
            let count = integer(count).ok().filter(|count| *count > 0);
            count.map(|count| count as usize).ok_or(Fault::new("ERR count should be greater than 0"))
        }
        _ => Err(Fault::SYNTAX),
    }
}

pub fn lmpop(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (keys, end) = counted_keys(args, 1)?;
    let front = side(args.get(end).ok_or(Fault::SYNTAX)?)?;
    let count = pop_count(&args[end + 1..])?;
    for key in keys {
        if let Some(items) = take(call, key, front, count)? {
            call.out.array(2);
            call.out.bulk(key);
            write_items(call, &items);
            return Ok(());
        }
    }
    call.out.null_array();
    Ok(())
}
