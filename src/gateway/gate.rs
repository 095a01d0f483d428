//! How many calls for clients are in flight, and who is told to come back later instead of waiting.
//!
//! A store that is asked faster than it answers makes everybody wait, and those who gave up meanwhile are still in line.
//! So a few wait for their turn, as long as it comes soon; whoever would wait longer is refused at once, with a time to
//! come back at. Those times lie one after the other at the pace of the store: they grow with every refusal.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::metric::Metric;

/// Longest time that a call is expected to wait for its turn.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Calls that may wait for each one in flight, whatever the pace: a store that just stopped has none that counts.
const WAITING_PER_CALL: usize = 16;
/// Shortest and longest time after which somebody who was refused is asked to come back.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Weight of the calls before in the average of their times: one call counts for an eighth.
const AVERAGE_OVER: u64 = 8;

/// Lets calls in, one for each that ended.
pub struct Gate {
    turns: Semaphore,
    calls_max: usize,
    waiting: AtomicUsize,
    /// Average microseconds of a call, from its turn to its end.
    call_us: AtomicU64,
    /// Microseconds from `started` until which the turns of those who come back are taken.
    booked_us: AtomicU64,
    started: Instant,
}

/// Somebody was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy {
    /// When their turn may come.
    pub retry_after: Duration,
}

/// A turn; it is over when this is dropped.
pub struct Turn<'a> {
    gate: &'a Gate,
    _permit: SemaphorePermit<'a>,
    since: Instant,
}

/// Somebody who waits, for as long as they do.
struct Waiting<'a>(&'a AtomicUsize);

impl Gate {
    /// At most `calls_max` calls are in flight.
    pub fn new(calls_max: usize) -> Self {
        Self {
            turns: Semaphore::new(calls_max),
            calls_max,
            waiting: AtomicUsize::new(0),
            call_us: AtomicU64::new(0),
            booked_us: AtomicU64::new(0),
            started: Instant::now(),
        }
    }

    /// Waits for a turn, or refuses at once where it would not come soon.
    pub async fn enter(&self) -> Result<Turn<'_>, Busy> {
        if self.turns.available_permits() == 0 && !self.comes_soon() {
            Metric::Refusals.counter_of("busy").increment(1);
            return Err(self.book());
        }
        let waiting = Waiting::new(&self.waiting);
        // A store that hangs is slower than it was lately.
        let turn = tokio::time::timeout(WAIT_MAX, self.turns.acquire()).await;
        drop(waiting);
        let Ok(permit) = turn else {
            Metric::Refusals.counter_of("busy").increment(1);
            return Err(self.book());
        };
        let permit = permit.expect("the semaphore is never closed");
        Ok(Turn { gate: self, _permit: permit, since: Instant::now() })
    }

    /// Whether the turn of one more would come soon, as calls went lately.
    fn comes_soon(&self) -> bool {
        let waiting = self.waiting.load(Ordering::Relaxed);
        waiting < self.calls_max.saturating_mul(WAITING_PER_CALL) && self.wait_of(waiting + 1) <= WAIT_MAX
    }

    /// How long it takes until so many have had their turn.
    fn wait_of(&self, calls: usize) -> Duration {
        let call_us = self.call_us.load(Ordering::Relaxed);
        Duration::from_micros(call_us.saturating_mul(calls as u64) / self.calls_max as u64)
    }

    /// Gives the next turn after all that were given, those of the waiting first.
    fn book(&self) -> Busy {
        let now_us = micros(self.started.elapsed());
        let first_us = now_us + micros(self.wait_of(self.waiting.load(Ordering::Relaxed)));
        let turn_us = (self.call_us.load(Ordering::Relaxed) / self.calls_max as u64).max(1);
        let last_us = now_us + micros(RETRY_MAX - RETRY_MIN);
        let next = |booked_us: u64| (booked_us.max(first_us) + turn_us).min(last_us);
        let before = self.booked_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |booked| Some(next(booked)));
        let booked_us = next(before.unwrap_or_else(|booked| booked));
        Busy { retry_after: RETRY_MIN + Duration::from_micros(booked_us.saturating_sub(now_us)) }
    }

    /// Takes the time of a call into the average.
    fn note(&self, elapsed: Duration) {
        let took_us = micros(elapsed);
        // Two that end at once may lose one of the two: the average does not mind.
        let before_us = self.call_us.load(Ordering::Relaxed);
        let after_us = if before_us == 0 { took_us } else { (before_us * (AVERAGE_OVER - 1) + took_us) / AVERAGE_OVER };
        self.call_us.store(after_us, Ordering::Relaxed);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.gate.note(self.since.elapsed());
    }
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn whoever_would_wait_long_is_refused_and_comes_back_ever_later() {
        let gate = Gate::new(2);
        gate.note(Duration::from_millis(500));
        let turns = [gate.enter().await.expect("there is room"), gate.enter().await.expect("there is room")];
        // With two at a time and half a second each, the fourth in line would wait a second.
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(gate.enter())).collect();
        assert!(waiting.iter_mut().all(|enter| enter.now_or_never().is_none()), "they wait");
        let refused: Vec<Duration> = (0..10)
            .map(|_| gate.enter().now_or_never().expect("it is told at once").err().expect("it is refused").retry_after)
            .collect();
        assert!(refused[0] >= RETRY_MIN + Duration::from_secs(1), "{refused:?}");
        assert!(refused.is_sorted() && refused[9] >= refused[0] + Duration::from_secs(2), "{refused:?}");
        drop(turns);
        assert!(waiting[0].as_mut().await.is_ok(), "the first in line has its turn");
        drop(waiting);
        assert_eq!(gate.waiting.load(Ordering::Relaxed), 0);
        assert!(gate.enter().await.is_ok());
    }

    #[tokio::test]
    async fn a_store_that_stopped_is_not_waited_for_by_all() {
        let gate = Gate::new(1);
        let _turn = gate.enter().await.expect("there is room");
        let mut waiting: Vec<_> = (0..WAITING_PER_CALL).map(|_| Box::pin(gate.enter())).collect();
        assert!(waiting.iter_mut().all(|enter| enter.now_or_never().is_none()), "they wait");
        let refused = gate.enter().now_or_never().expect("it is told at once");
        assert!(refused.is_err_and(|busy| busy.retry_after <= RETRY_MAX));
    }
}
