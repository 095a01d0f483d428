//! Sorted sets: single members and the ends.

use super::list::{counted_keys, pop_count};
use super::{float, integer, is, positive};
use crate::embedded::fault::Fault;
use crate::embedded::keyspace::class;
use crate::embedded::spec::{Call, Outcome};
use crate::embedded::zset::Zset;

#[derive(Default)]
struct AddOptions {
    only_new: bool,
    only_existing: bool,
    only_greater: bool,
    only_less: bool,
    count_changed: bool,
    increment: bool,
}

impl AddOptions {
    /// Reads the options; answers where the pairs begin.
    fn read(args: &[&[u8]]) -> Result<(AddOptions, usize), Fault> {
        let mut options = AddOptions::default();
        let mut at = 2;
        while let Some(arg) = args.get(at) {
            match arg.to_ascii_lowercase().as_slice() {
                b"nx" => options.only_new = true,
                b"xx" => options.only_existing = true,
                b"gt" => options.only_greater = true,
                b"lt" => options.only_less = true,
                b"ch" => options.count_changed = true,
                b"incr" => options.increment = true,
                _ => break,
            }
            at += 1;
        }
        let pairs = args.len() - at;
        if pairs == 0 || !pairs.is_multiple_of(2) {
            return Err(Fault::SYNTAX);
        }
        options.check()?;
        if options.increment && pairs > 2 {
            return Err(Fault::new("ERR INCR option supports a single increment-element pair"));
        }
        Ok((options, at))
    }

    fn check(&self) -> Outcome {
        if self.only_new && self.only_existing {
            return Err(Fault::new("ERR XX and NX options at the same time are not compatible"));
        }
        if (self.only_new && (self.only_greater || self.only_less)) || (self.only_greater && self.only_less) {
            return Err(Fault::new("ERR GT, LT, and/or NX options at the same time are not compatible"));
        }
        Ok(())
    }

    /// The score that a member gets; none when the options forbid the change.
    fn score(&self, old: Option<f64>, given: f64) -> Result<Option<f64>, Fault> {
        let Some(old) = old else {
            return Ok((!self.only_existing).then_some(given));
        };
        if self.only_new {
            return Ok(None);
        }
        let new = if self.increment { old + given } else { given };
        if new.is_nan() {
            return Err(Fault::new("ERR resulting score is not a number (NaN)"));
        }
        let refused = (self.only_greater && new <= old) || (self.only_less && new >= old);
        Ok((!refused).then_some(new))
    }
}

pub fn zadd(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (options, at) = AddOptions::read(args)?;
    let pairs = args[at..].chunks_exact(2);
    // All scores are read first: a bad one must change nothing.
    let scores = pairs.clone().map(|pair| float(pair[0])).collect::<Result<Vec<_>, _>>()?;
    let db = &mut call.core.db;
    if options.only_existing && db.get::<Zset>(args[1])?.is_none() {
        if options.increment {
            call.out.null()
        } else {
            call.out.integer(0)
        }
        return Ok(());
    }
    let zset = db.make::<Zset>(args[1])?;
    let (mut added, mut changed, mut last) = (0, 0, None);
    for (pair, given) in pairs.zip(scores) {
        let old = zset.score(pair[1]);
        last = options.score(old, given)?;
        let Some(new) = last else { continue };
        // Minus zero equals zero, so it does not take its place.
        if old == last {
            continue;
        }
        zset.insert(pair[1], new);
        added += i64::from(old.is_none());
        changed += i64::from(old.is_some());
    }
    if added + changed > 0 {
        db.touch(args[1], class::ZSET, if options.increment { "zincr" } else { "zadd" });
    } else {
        db.remove_if_empty(args[1]);
    }
    match (options.increment, last) {
        (true, Some(score)) => call.out.double(score),
        (true, None) => call.out.null(),
        (false, _) => call.out.integer(if options.count_changed { added + changed } else { added }),
    }
    Ok(())
}

pub fn zincrby(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let by = float(args[2])?;
    let db = &mut call.core.db;
    let old = db.get::<Zset>(args[1])?.and_then(|zset| zset.score(args[3]));
    let new = old.map_or(by, |old| old + by);
    if new.is_nan() {
        return Err(Fault::new("ERR resulting score is not a number (NaN)"));
    }
    if old != Some(new) {
        db.make::<Zset>(args[1])?.insert(args[3], new);
    }
    db.touch(args[1], class::ZSET, "zincr");
    call.out.double(new);
    Ok(())
}

pub fn zrem(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let db = &mut call.core.db;
    let removed = match db.get_mut::<Zset>(args[1])? {
        Some(zset) => args[2..].iter().filter(|member| zset.remove(member).is_some()).count(),
        None => 0,
    };
    if removed > 0 {
        db.touch(args[1], class::ZSET, "zrem");
        db.remove_if_empty(args[1]);
    }
    call.out.count(removed);
    Ok(())
}

pub fn zcard(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    call.out.count(call.core.db.get::<Zset>(args[1])?.map_or(0, Zset::len));
    Ok(())
}

fn write_score(call: &mut Call<'_>, score: Option<f64>) {
    match score {
        Some(score) => call.out.double(score),
        None => call.out.null(),
    }
}

pub fn zscore(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let score = call.core.db.get::<Zset>(args[1])?.and_then(|zset| zset.score(args[2]));
    write_score(call, score);
    Ok(())
}

pub fn zmscore(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let zset = call.core.db.get::<Zset>(args[1])?;
    let scores: Vec<_> = args[2..].iter().map(|member| zset.and_then(|zset| zset.score(member))).collect();
    call.out.array(scores.len());
    scores.into_iter().for_each(|score| write_score(call, score));
    Ok(())
}

fn rank(call: &mut Call<'_>, args: &[&[u8]], reversed: bool) -> Outcome {
    let with_score = match args.get(3) {
        None => false,
        Some(word) if is(word, "withscore") && args.len() == 4 => true,
        Some(_) => return Err(Fault::SYNTAX),
    };
    let found = call.core.db.get_mut::<Zset>(args[1])?.and_then(|zset| {
        zset.refresh();
        let rank = zset.rank(args[2])?;
        Some((if reversed { zset.len() - 1 - rank } else { rank }, zset.score(args[2])?))
    });
    match (found, with_score) {
        (Some((rank, score)), true) => {
            call.out.array(2);
            call.out.count(rank);
            call.out.double(score);
        }
        (Some((rank, _)), false) => call.out.count(rank),
        (None, true) => call.out.null_array(),
        (None, false) => call.out.null(),
    }
    Ok(())
}

pub fn zrank(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    rank(call, args, false)
}

pub fn zrevrank(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    rank(call, args, true)
}

/// Names and scores taken from one end.
type Taken = Vec<(Vec<u8>, f64)>;

fn take(call: &mut Call<'_>, key: &[u8], highest: bool, count: usize) -> Result<Taken, Fault> {
    let db = &mut call.core.db;
    let Some(zset) = db.get_mut::<Zset>(key)? else {
        return Ok(Vec::new());
    };
    let length = zset.len();
    let pair = |member: &crate::embedded::zset::Member| (member.name().to_vec(), member.score());
    let taken: Taken = if highest {
        zset.range_back(0..length).take(count).map(pair).collect()
    } else {
        zset.range(0..length).take(count).map(pair).collect()
    };
    for (name, _) in &taken {
        zset.remove(name);
    }
    if !taken.is_empty() {
        db.touch(key, class::ZSET, if highest { "zpopmax" } else { "zpopmin" });
        db.remove_if_empty(key);
    }
    Ok(taken)
}

fn pop(call: &mut Call<'_>, args: &[&[u8]], highest: bool) -> Outcome {
    let count = match args.len() {
        2 => None,
        3 => Some(positive(args[2])?),
        _ => return Err(Fault::SYNTAX),
    };
    let taken = take(call, args[1], highest, count.unwrap_or(1))?;
    let paired = count.is_some() && call.out.resp3;
    call.out.array(if paired { taken.len() } else { 2 * taken.len() });
    for (name, score) in &taken {
        if paired {
            call.out.array(2);
        }
        call.out.bulk(name);
        call.out.double(*score);
    }
    Ok(())
}

pub fn zpopmin(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    pop(call, args, false)
}

pub fn zpopmax(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    pop(call, args, true)
}

pub fn zmpop(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (keys, end) = counted_keys(args, 1)?;
    let word = args.get(end).ok_or(Fault::SYNTAX)?;
    let highest = is(word, "max");
    if !highest && !is(word, "min") {
        return Err(Fault::SYNTAX);
    }
    let count = pop_count(&args[end + 1..])?;
    for key in keys {
        let taken = take(call, key, highest, count)?;
        if taken.is_empty() {
            continue;
        }
        call.out.array(2);
        call.out.bulk(key);
        call.out.array(taken.len());
        for (name, score) in &taken {
            call.out.array(2);
            call.out.bulk(name);
            call.out.double(*score);
        }
        return Ok(());
    }
    call.out.null_array();
    Ok(())
}

pub fn zrandmember(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let length = call.core.db.get::<Zset>(args[1])?.map_or(0, Zset::len);
    if args.len() == 2 {
        let index = call.core.random_below(length.max(1));
        let zset = call.core.db.get::<Zset>(args[1])?;
        call.out.bulk_or_null(zset.and_then(|zset| zset.at(index)).map(|member| member.name()));
        return Ok(());
    }
    let count = integer(args[2])?;
    let with_scores = match args.get(3) {
        None => false,
        Some(word) if is(word, "withscores") && args.len() == 4 => true,
        Some(_) => return Err(Fault::SYNTAX),
    };
    if with_scores && !(-i64::MAX / 2..=i64::MAX / 2).contains(&count) {
        return Err(Fault::OUT_OF_RANGE);
    }
    let picks = super::set::pick(call, length, count)?;
    let paired = with_scores && call.out.resp3;
    call.out.array(if with_scores && !paired { 2 * picks.len() } else { picks.len() });
    let zset = call.core.db.get::<Zset>(args[1])?;
    for member in picks.into_iter().filter_map(|index| zset?.at(index)) {
        if paired {
            call.out.array(2);
        }
        call.out.bulk(member.name());
        if with_scores {
            call.out.double(member.score());
        }
    }
    Ok(())
}
