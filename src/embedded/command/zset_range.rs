//! Sorted sets: ranges by rank, score and name.

use super::{clamp_range, integer, is};
use crate::embedded::fault::Fault;
use crate::embedded::keyspace::class;
use crate::embedded::number;
use crate::embedded::spec::{Call, Outcome};
use crate::embedded::value::Kind;
use crate::embedded::zset::{Member, Zset};
use std::ops::Range;

/// How the ends of a range are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// One end of a range by score.
#[derive(Clone, Copy)]
struct ScoreBound {
    value: f64,
    exclusive: bool,
}

impl ScoreBound {
    fn parse(arg: &[u8]) -> Result<ScoreBound, Fault> {
        let exclusive = arg.first() == Some(&b'(');
        let digits = (if exclusive { &arg[1..] } else { arg }).trim_ascii_start();
        // Nothing at all is zero here.
        let value = if digits.is_empty() { Some(0.0) } else { number::parse_f64(digits) };
        value.map(|value| ScoreBound { value, exclusive }).ok_or(Fault::new("ERR min or max is not a float"))
    }
}

/// One end of a range by name.
enum LexBound<'a> {
    Lowest,
    Highest,
    Name { name: &'a [u8], exclusive: bool },
}

impl<'a> LexBound<'a> {
    fn parse(arg: &'a [u8]) -> Result<LexBound<'a>, Fault> {
        match arg {
            b"-" => Ok(LexBound::Lowest),
            b"+" => Ok(LexBound::Highest),
            [b'(', name @ ..] => Ok(LexBound::Name { name, exclusive: true }),
            [b'[', name @ ..] => Ok(LexBound::Name { name, exclusive: false }),
            _ => Err(Fault::new("ERR min or max not valid string range item")),
        }
    }

    /// Whether a member stands before a range that begins here.
    fn starts_after(&self, member: &Member) -> bool {
        match self {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Name { name, exclusive: true } => member.name() <= *name,
            LexBound::Name { name, exclusive: false } => member.name() < *name,
        }
    }

    /// Whether a member stands inside a range that ends here.
    fn ends_after(&self, member: &Member) -> bool {
        match self {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Name { name, exclusive: true } => member.name() < *name,
            LexBound::Name { name, exclusive: false } => member.name() <= *name,
        }
    }
}

/// A range that was read and is yet to be applied to a set.
enum Bounds<'a> {
    Rank(i64, i64),
    Score(ScoreBound, ScoreBound),
    Lex(LexBound<'a>, LexBound<'a>),
}

impl<'a> Bounds<'a> {
    fn parse(by: By, low: &'a [u8], high: &'a [u8]) -> Result<Bounds<'a>, Fault> {
        Ok(match by {
            By::Rank => Bounds::Rank(integer(low)?, integer(high)?),
            By::Score => Bounds::Score(ScoreBound::parse(low)?, ScoreBound::parse(high)?),
            By::Lex => Bounds::Lex(LexBound::parse(low)?, LexBound::parse(high)?),
        })
    }

    /// The ranks that lie inside, counted from the highest member when reversed.
    fn ranks(&self, zset: &Zset, reversed: bool) -> Range<usize> {
        let length = zset.len();
        match self {
            Bounds::Rank(start, stop) => match clamp_range(*start, *stop, length) {
                Some((from, to)) if reversed => length - to..length - from,
                Some((from, to)) => from..to,
                None => 0..0,
            },
            Bounds::Score(low, high) => {
                let below = |member: &Member| {
                    if low.exclusive { member.score() <= low.value } else { member.score() < low.value }
                };
                let inside = |member: &Member| {
                    if high.exclusive { member.score() < high.value } else { member.score() <= high.value }
                };
                zset.rank_where(below)..zset.rank_where(inside)
            }
            Bounds::Lex(low, high) => {
                zset.rank_where(|member| low.starts_after(member))..zset.rank_where(|member| high.ends_after(member))
            }
        }
    }
}

/// A whole ZRANGE request.
struct Query<'a> {
    bounds: Bounds<'a>,
    reversed: bool,
    with_scores: bool,
    limit: Option<(i64, i64)>,
}

impl<'a> Query<'a> {
    /// Reads `key low high [options]`, its key at `at`; what the command's name already says is passed in.
    fn read(args: &[&'a [u8]], at: usize, by: Option<By>, reversed: bool, store: bool) -> Result<Query<'a>, Fault> {
        let generic = by.is_none() && !reversed || store;
        let mut query_by = by.unwrap_or(By::Rank);
        let (mut reversed, mut with_scores, mut limit) = (reversed, false, None);
        let mut rest = args[at + 3..].iter();
        while let Some(arg) = rest.next() {
            if !store && is(arg, "withscores") {
                with_scores = true;
            } else if is(arg, "limit") {
                let (Some(offset), Some(count)) = (rest.next(), rest.next()) else {
                    return Err(Fault::SYNTAX);
                };
                limit = Some((integer(offset)?, integer(count)?));
            } else if generic && is(arg, "rev") {
                reversed = true;
            } else if generic && is(arg, "byscore") {
                query_by = By::Score;
            } else if generic && is(arg, "bylex") {
                query_by = By::Lex;
            } else {
                return Err(Fault::SYNTAX);
            }
        }
        if limit.is_some() && query_by == By::Rank {
            return Err(Fault::new(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && query_by == By::Lex {
            return Err(Fault::new("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        let (mut low, mut high) = (args[at + 1], args[at + 2]);
        if reversed && query_by != By::Rank {
            (low, high) = (high, low);
        }
        Ok(Query { bounds: Bounds::parse(query_by, low, high)?, reversed, with_scores, limit })
    }

    /// The members asked for, in the order asked for.
    fn members<'z>(&self, zset: &'z mut Zset) -> Vec<&'z Member> {
        zset.refresh();
        let mut ranks = self.bounds.ranks(zset, self.reversed);
        if let Some((offset, count)) = self.limit {
            let Ok(offset) = usize::try_from(offset) else {
                return Vec::new();
            };
            let length = ranks.end.saturating_sub(ranks.start);
            let skip = offset.min(length);
            let keep = usize::try_from(count).unwrap_or(usize::MAX).min(length - skip);
            ranks = if self.reversed {
                ranks.end - skip - keep..ranks.end - skip
            } else {
                ranks.start + skip..ranks.start + skip + keep
            };
        }
        if ranks.start >= ranks.end {
            return Vec::new();
        }
        if self.reversed { zset.range_back(ranks).collect() } else { zset.range(ranks).collect() }
    }
}

/// Writes members, with scores as pairs for RESP3 and as a flat list for RESP2.
pub fn write_members<'m>(
    call: &mut crate::embedded::reply::Output,
    members: impl ExactSizeIterator<Item = (&'m [u8], f64)>,
    with_scores: bool,
) {
    let paired = with_scores && call.resp3;
    call.array(if with_scores && !paired { 2 * members.len() } else { members.len() });
    for (name, score) in members {
        if paired {
            call.array(2);
        }
        call.bulk(name);
        if with_scores {
            call.double(score);
        }
    }
}

fn range(call: &mut Call<'_>, args: &[&[u8]], by: Option<By>, reversed: bool) -> Outcome {
    let query = Query::read(args, 1, by, reversed, false)?;
    let zset = call.core.db.get_mut::<Zset>(args[1])?;
    let members = zset.map(|zset| query.members(zset)).unwrap_or_default();
    let pairs = members.iter().map(|member| (member.name(), member.score()));
    write_members(call.out, pairs, query.with_scores);
    Ok(())
}

pub fn zrange(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    range(call, args, None, false)
}

pub fn zrevrange(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    range(call, args, Some(By::Rank), true)
}

pub fn zrangebyscore(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    range(call, args, Some(By::Score), false)
}

pub fn zrevrangebyscore(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    range(call, args, Some(By::Score), true)
}

pub fn zrangebylex(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    range(call, args, Some(By::Lex), false)
}

pub fn zrevrangebylex(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    range(call, args, Some(By::Lex), true)
}

pub fn zrangestore(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let query = Query::read(args, 2, None, false, true)?;
    let db = &mut call.core.db;
    let mut result = Zset::default();
    if let Some(zset) = db.get_mut::<Zset>(args[2])? {
        for member in query.members(zset) {
            result.insert(member.name(), member.score());
        }
    }
    call.out.count(result.len());
    store(call, args[1], result, "zrangestore");
    Ok(())
}

/// Puts a result in the place of a key, or removes the key when the result is empty.
pub fn store(call: &mut Call<'_>, key: &[u8], result: Zset, event: &'static str) {
    let db = &mut call.core.db;
    if result.len() > 0 {
        db.put(key, result.wrap(), false);
        db.touch(key, class::ZSET, event);
    } else if db.remove(key).is_some() {
        db.touch(key, class::GENERIC, "del");
    }
}

fn count(call: &mut Call<'_>, args: &[&[u8]], by: By) -> Outcome {
    let bounds = Bounds::parse(by, args[2], args[3])?;
    let ranks = match call.core.db.get_mut::<Zset>(args[1])? {
        Some(zset) => {
            zset.refresh();
            bounds.ranks(zset, false)
        }
        None => 0..0,
    };
    call.out.count(ranks.end.saturating_sub(ranks.start));
    Ok(())
}

pub fn zcount(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    count(call, args, By::Score)
}

pub fn zlexcount(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    count(call, args, By::Lex)
}

fn remove_range(call: &mut Call<'_>, args: &[&[u8]], by: By, event: &'static str) -> Outcome {
    let bounds = Bounds::parse(by, args[2], args[3])?;
    let db = &mut call.core.db;
    let mut removed = 0;
    if let Some(zset) = db.get_mut::<Zset>(args[1])? {
        zset.refresh();
        let ranks = bounds.ranks(zset, false);
        let names: Vec<Vec<u8>> = if ranks.start < ranks.end {
            zset.range(ranks).map(|member| member.name().to_vec()).collect()
        } else {
            vec![]
        };
        removed = names.len();
        for name in &names {
            zset.remove(name);
        }
    }
    if removed > 0 {
        db.touch(args[1], class::ZSET, event);
        db.remove_if_empty(args[1]);
    }
    call.out.count(removed);
    Ok(())
}

pub fn zremrangebyrank(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    remove_range(call, args, By::Rank, "zremrangebyrank")
}

pub fn zremrangebyscore(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    remove_range(call, args, By::Score, "zremrangebyscore")
}

pub fn zremrangebylex(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    remove_range(call, args, By::Lex, "zremrangebylex")
}
