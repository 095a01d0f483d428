//! What the calls of one script version came to: the numbers by which an operator compares two versions.
//!
//! Lock-free counters of this process. They start at zero with it and only grow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::metric::CallOutcome;

/// Classes of latency: up to 2^n microseconds each, the last one for all that is longer (about eight seconds).
const CLASSES: usize = 24;

/// The counters.
#[derive(Debug, Default)]
pub struct Tally {
    calls: AtomicU64,
    errors: AtomicU64,
    refusals: AtomicU64,
    takeovers: AtomicU64,
    micros: AtomicU64,
    classes: [AtomicU64; CLASSES],
}

/// The counters at one moment, or summed over nodes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Count {
    /// Calls answered, errors among them.
    pub calls: u64,
    /// Calls that gave no effects.
    pub errors: u64,
    /// Answers to clients that carry an error.
    pub refusals: u64,
    /// Calls that displaced a session.
    pub takeovers: u64,
    /// Time of all calls together, in microseconds.
    pub micros: u64,
    /// Calls by latency: the n-th number counts those of up to 2^n microseconds that are over 2^(n-1).
    pub classes: Vec<u64>,
}

impl Tally {
    /// Counts one call.
    pub fn count(&self, outcome: CallOutcome, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let bump = |counter: &AtomicU64, by: u64| counter.fetch_add(by, Ordering::Relaxed);
        bump(&self.calls, 1);
        bump(&self.errors, u64::from(outcome.is_error));
        bump(&self.refusals, u64::from(outcome.is_refusal));
        bump(&self.takeovers, u64::from(outcome.is_takeover));
        bump(&self.micros, micros);
        bump(&self.classes[class_of(micros)], 1);
    }

    /// The numbers now.
    pub fn read(&self) -> Count {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Count {
            calls: get(&self.calls),
            errors: get(&self.errors),
            refusals: get(&self.refusals),
            takeovers: get(&self.takeovers),
            micros: get(&self.micros),
            classes: self.classes.iter().map(get).collect(),
        }
    }
}

/// The least n with micros <= 2^n.
fn class_of(micros: u64) -> usize {
    let bits = u64::BITS - micros.saturating_sub(1).leading_zeros();
    usize::try_from(bits).unwrap_or(CLASSES).min(CLASSES - 1)
}

impl Count {
    /// Adds the numbers of another node.
    pub fn add(&mut self, other: &Count) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.refusals += other.refusals;
        self.takeovers += other.takeovers;
        self.micros += other.micros;
        self.classes.resize(self.classes.len().max(other.classes.len()), 0);
        for (own, others) in self.classes.iter_mut().zip(&other.classes) {
            *own += others;
        }
    }

    /// Mean time of a call in milliseconds; 0 where there was none.
    pub fn mean_ms(&self) -> f64 {
        if self.calls == 0 { 0.0 } else { self.micros as f64 / self.calls as f64 / 1000.0 }
    }

    /// A time in milliseconds that 99 of 100 calls did not exceed: exact to a factor of two.
    pub fn p99_ms(&self) -> f64 {
        let total: u64 = self.classes.iter().sum();
        let mut within = 0;
        let class = self.classes.iter().position(|calls| {
            within += calls;
            within * 100 >= total * 99
        });
        if total == 0 { 0.0 } else { 2f64.powi(i32::try_from(class.unwrap_or(0)).unwrap_or(0)) / 1000.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_what_they_came_to() {
        let tally = Tally::default();
        tally.count(CallOutcome::default(), Duration::from_micros(100));
        tally.count(CallOutcome { is_refusal: true, ..CallOutcome::default() }, Duration::from_micros(300));
        tally.count(CallOutcome { is_error: true, ..CallOutcome::default() }, Duration::ZERO);
        tally.count(CallOutcome { is_takeover: true, ..CallOutcome::default() }, Duration::from_secs(3600));
        let count = tally.read();
        assert_eq!((count.calls, count.errors, count.refusals, count.takeovers), (4, 1, 1, 1));
        assert_eq!(count.classes[7], 1, "100 microseconds are over 64 and up to 128");
        assert_eq!(count.classes[CLASSES - 1], 1, "whatever is longer");
    }

    #[test]
    fn the_numbers_of_nodes_add_up() {
        let (tally, mut sum) = (Tally::default(), Count::default());
        (0..99).for_each(|_| tally.count(CallOutcome::default(), Duration::from_micros(1000)));
        tally.count(CallOutcome::default(), Duration::from_micros(9_000));
        sum.add(&tally.read());
        sum.add(&tally.read());
        assert_eq!(sum.calls, 200);
        assert!((sum.mean_ms() - 1.08).abs() < 1e-9);
        assert!((sum.p99_ms() - 1.024).abs() < 1e-9);
        assert_eq!(Count::default().p99_ms(), 0.0);
    }
}
