//! Unions, intersections and differences of sorted sets; plain sets take part with the score 1.

use super::is;
use super::list::counted_keys;
use super::set_algebra::card_limit;
use super::zset_range::{store, write_members};
use crate::embedded::fault::Fault;
use crate::embedded::number;
use crate::embedded::set::Set;
use crate::embedded::spec::{Call, Outcome};
use crate::embedded::value::Value;
use crate::embedded::zset::{Member, Zset};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn join(self, left: f64, right: f64) -> f64 {
        match self {
            // Opposite infinities cancel to zero instead of becoming no number.
            Aggregate::Sum if (left + right).is_nan() => 0.0,
            Aggregate::Sum => left + right,
            Aggregate::Min => left.min(right),
            Aggregate::Max => left.max(right),
        }
    }
}

/// What the arguments behind the keys say.
struct Options {
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
}

fn options(args: &[&[u8]], keys: usize, operation: Operation, stores: bool) -> Result<Options, Fault> {
    let mut options = Options { weights: vec![1.0; keys], aggregate: Aggregate::Sum, with_scores: false };
    let combines = operation != Operation::Difference;
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        if combines && is(arg, "weights") && args.len() > at + keys {
            for (weight, arg) in options.weights.iter_mut().zip(&args[at + 1..]) {
                *weight = number::parse_f64(arg).ok_or(Fault::new("ERR weight value is not a float"))?;
            }
            at += keys + 1;
        } else if combines && is(arg, "aggregate") && args.len() > at + 1 {
            options.aggregate = match args[at + 1].to_ascii_lowercase().as_slice() {
                b"sum" => Aggregate::Sum,
                b"min" => Aggregate::Min,
                b"max" => Aggregate::Max,
                _ => return Err(Fault::SYNTAX),
            };
            at += 2;
        } else if !stores && is(arg, "withscores") {
            options.with_scores = true;
            at += 1;
        } else {
            return Err(Fault::SYNTAX);
        }
    }
    Ok(options)
}

/// The members of a key, be it a set or a sorted set.
fn members(call: &mut Call<'_>, key: &[u8]) -> Result<Zset, Fault> {
    match call.core.db.find(key).map(|entry| &entry.value) {
        None => Ok(Zset::default()),
        Some(Value::Zset(zset)) => Ok((**zset).clone()),
        Some(Value::Set(set)) => Ok(from_set(set)),
        Some(_) => Err(Fault::WRONG_TYPE),
    }
}

fn from_set(set: &Set) -> Zset {
    let mut zset = Zset::default();
    set.each(|member| {
        zset.insert(member, 1.0);
    });
    zset
}

fn weigh(score: f64, weight: f64) -> f64 {
    let product = score * weight;
    if product.is_nan() { 0.0 } else { product }
}

fn combine(inputs: &[Zset], operation: Operation, options: &Options) -> Zset {
    let mut result = Zset::default();
    let Some((first, others)) = inputs.split_first() else {
        return result;
    };
    if operation == Operation::Union {
        for (input, weight) in inputs.iter().zip(&options.weights) {
            for member in input.iter() {
                let score = weigh(member.score(), *weight);
                let score = result.score(member.name()).map_or(score, |old| options.aggregate.join(old, score));
                result.insert(member.name(), score);
            }
        }
        return result;
    }
    for member in first.iter() {
        let found = others.iter().map(|other| other.score(member.name()));
        let score = match operation {
            Operation::Difference => found.clone().all(|score| score.is_none()).then(|| member.score()),
            _ => found
                .zip(&options.weights[1..])
                .try_fold(weigh(member.score(), options.weights[0]), |sum, (score, weight)| {
                    Some(options.aggregate.join(sum, weigh(score?, *weight)))
                }),
        };
        if let Some(score) = score {
            result.insert(member.name(), score);
        }
    }
    result
}

/// Reads the keys; a wrong number of them has a text that names the command.
fn keys<'a>(args: &'a [&'a [u8]], at: usize) -> Result<(&'a [&'a [u8]], usize), Fault> {
    let count = super::integer(args[at])?;
    if count < 1 {
        let name = String::from_utf8_lossy(args[0]).to_ascii_lowercase();
        return Err(Fault::new(format!("ERR at least 1 input key is needed for '{name}' command")));
    }
    counted_keys(args, at)
}

fn evaluate(call: &mut Call<'_>, args: &[&[u8]], at: usize, operation: Operation) -> Result<(Zset, Options), Fault> {
    let (keys, end) = keys(args, at)?;
    let options = options(&args[end..], keys.len(), operation, at == 2)?;
    let inputs = keys.iter().map(|key| members(call, key)).collect::<Result<Vec<_>, _>>()?;
    Ok((combine(&inputs, operation, &options), options))
}

fn answer(call: &mut Call<'_>, args: &[&[u8]], operation: Operation) -> Outcome {
    let (result, options) = evaluate(call, args, 1, operation)?;
    let members: Vec<&Member> = result.iter().collect();
    write_members(call.out, members.iter().map(|member| (member.name(), member.score())), options.with_scores);
    Ok(())
}

fn answer_stored(call: &mut Call<'_>, args: &[&[u8]], operation: Operation, event: &'static str) -> Outcome {
    let (result, _) = evaluate(call, args, 2, operation)?;
    call.out.count(result.len());
    store(call, args[1], result, event);
    Ok(())
}

pub fn zunion(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    answer(call, args, Operation::Union)
}

pub fn zinter(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    answer(call, args, Operation::Intersection)
}

pub fn zdiff(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    answer(call, args, Operation::Difference)
}

pub fn zunionstore(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    answer_stored(call, args, Operation::Union, "zunionstore")
}

pub fn zinterstore(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    answer_stored(call, args, Operation::Intersection, "zinterstore")
}

pub fn zdiffstore(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    answer_stored(call, args, Operation::Difference, "zdiffstore")
}

pub fn zintercard(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (keys, end) = keys(args, 1)?;
    let inputs = keys.iter().map(|key| members(call, key)).collect::<Result<Vec<_>, _>>()?;
    let limit = card_limit(&args[end..])?;
    let options = Options { weights: vec![1.0; inputs.len()], aggregate: Aggregate::Sum, with_scores: false };
    call.out.count(combine(&inputs, Operation::Intersection, &options).len().min(limit));
    Ok(())
}
