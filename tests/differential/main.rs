//! Random commands and scripts, sent to our store and to a real `redis-server`, must be answered alike.
//!
//! `cargo test --test differential` runs the same cases each time. `ONESEAT_SECONDS=N` tries others for so long, from a
//! seed of the clock, and `ONESEAT_SEED=N` repeats one. A failing case is made as short as it gets and printed with its
//! seed.

mod case;
#[path = "../model/dice.rs"]
mod dice;
mod grammar;
mod line;
mod pair;
mod rule;
mod script;
mod value;

use std::time::{Duration, Instant, SystemTime};

use case::Case;
use pair::Pair;

/// Cases of a run that was not asked for more.
const CASES: u64 = 2_000;
/// Differences after which looking ends.
const FOUND_MAX: usize = 8;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Looks for differences; a seed that is given is tried alone.
fn look(what: &str, make: impl Fn(u64) -> Case) {
    let mut pair = Pair::start();
    let (asked, seconds) = (setting("ONESEAT_SEED"), setting("ONESEAT_SECONDS"));
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("the clock is past 1970");
    let first = asked.unwrap_or(seconds.map_or(1, |_| clock.as_secs() % 1_000_000_000 * 1000));
    let deadline = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut cases = 0;
    let mut found: Vec<String> = Vec::new();
    for seed in first.. {
        let case = make(seed);
        cases += 1;
        if differs(&mut pair, &case) {
            let case = case.shrink(|case| pair.run(case).is_some());
            let difference = pair.run(&case).map_or("it differs only now and then".into(), |found| found.to_string());
            found.push(format!("ONESEAT_SEED={seed}\n{case}{difference}\n"));
        }
        let is_over = deadline.map_or(cases == CASES, |deadline| Instant::now() > deadline);
        if asked.is_some() || found.len() == FOUND_MAX || is_over {
            break;
        }
    }
    assert!(found.is_empty(), "{what}: {} of {cases} cases differ\n{}", found.len(), found.join("\n"));
    println!("{what}: {cases} cases from seed {first} were answered alike");
}

/// Of two deadlines of one length the later one is greater only if it was set in a later millisecond, which is not the
/// same on two servers: a case that compares deadlines differs if it does so each time.
fn differs(pair: &mut Pair, case: &Case) -> bool {
    let text = case.to_string();
    let compares = text.lines().any(|line| line.contains("EXPIRE") && (line.ends_with(" GT") || line.ends_with(" LT")));
    let tries = if compares { 5 } else { 1 };
    (0..tries).all(|_| pair.run(case).is_some())
}

#[test]
fn commands_are_answered_as_by_redis() {
    look("commands", Case::of_commands);
}

#[test]
fn scripts_are_answered_as_by_redis() {
    look("scripts", Case::of_scripts);
}
