//! Sessions that ended here and of which the store has to be told, in the order in which they ended.
//!
//! Bounded: past the bound the oldest are dropped and counted, since a verify finds them in the roster and mends it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::id::{Name, Sid, Uid};
use crate::metric::Metric;
use crate::reason::Reason;

/// Endings that may wait for the store; about 100 MB of them.
const ENDINGS_MAX: usize = 1 << 20;

/// One session that is over, or a login whose outcome nobody will ever know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// The session.
    pub sid: Sid,
    /// Its user.
    pub uid: Uid,
    /// Its device class; `None` where the answer to its login was lost.
    pub class: Option<Name>,
    /// Why this side closed it; `None` where the client left by itself.
    pub reason: Option<Reason>,
}

/// The queue between connections and the one worker that tells the store.
#[derive(Debug)]
pub struct EndingQueue {
    waiting: Mutex<Waiting>,
    /// Wakes the worker when something waits, and those who wait for the end of all work when nothing does.
    changed: Notify,
    bound: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Ending>,
    /// Taken by the worker and not yet finished.
    in_hand: bool,
}

impl Default for EndingQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl EndingQueue {
    /// An empty queue with the usual bound.
    pub fn new() -> Self {
        Self::bounded(ENDINGS_MAX)
    }

    fn bounded(bound: usize) -> Self {
        Self { waiting: Mutex::default(), changed: Notify::new(), bound }
    }

    /// Adds one; at the bound the oldest goes.
    pub fn push(&self, ending: Ending) {
        let is_full = {
            let mut waiting = self.lock();
            let is_full = waiting.queue.len() >= self.bound;
            if is_full {
                waiting.queue.pop_front();
            }
            waiting.queue.push_back(ending);
            is_full
        };
        if is_full {
            Metric::EndingDrops.counter().increment(1);
        }
        self.changed.notify_waiters();
    }

    /// Takes the oldest, at most `count_max`; waits until there is one. `finish` says that they are dealt with.
    pub async fn take(&self, count_max: usize) -> Vec<Ending> {
        loop {
            let changed = self.changed.notified();
            if let Some(batch) = self.try_take(count_max) {
                return batch;
            }
            changed.await;
        }
    }

    /// Puts endings without an answer back in front of all others. What is over the bound is dropped.
    pub fn put_back(&self, endings: Vec<Ending>) {
        let dropped = {
            let mut waiting = self.lock();
            let room = self.bound.saturating_sub(waiting.queue.len());
            let dropped = endings.len().saturating_sub(room);
            endings.into_iter().skip(dropped).rev().for_each(|ending| waiting.queue.push_front(ending));
            dropped
        };
        Metric::EndingDrops.counter().increment(dropped as u64);
        self.changed.notify_waiters();
    }

    /// The batch that was taken last is dealt with.
    pub fn finish(&self) {
        self.lock().in_hand = false;
        self.changed.notify_waiters();
    }

    /// Waits until nothing waits and nothing is in hand.
    pub async fn drained(&self) {
        loop {
            let changed = self.changed.notified();
            let is_drained = {
                let waiting = self.lock();
                waiting.queue.is_empty() && !waiting.in_hand
            };
            if is_drained {
                return;
            }
            changed.await;
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.lock().queue.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn try_take(&self, count_max: usize) -> Option<Vec<Ending>> {
        let mut waiting = self.lock();
        if waiting.queue.is_empty() {
            return None;
        }
        let count = waiting.queue.len().min(count_max);
        let batch: Vec<_> = waiting.queue.drain(..count).collect();
        if waiting.queue.is_empty() {
            waiting.queue = VecDeque::new();
        }
        waiting.in_hand = true;
        Some(batch)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(uid: &str) -> Ending {
        Ending { sid: Sid::new(), uid: Uid::parse(uid).expect("a plain uid"), class: None, reason: None }
    }

    fn uids(endings: &[Ending]) -> Vec<&str> {
        endings.iter().map(|ending| ending.uid.as_str()).collect()
    }

    #[tokio::test]
    async fn endings_come_in_order_and_in_batches() {
        let queue = EndingQueue::new();
        ["1", "2", "3"].into_iter().for_each(|uid| queue.push(ending(uid)));
        assert_eq!(uids(&queue.take(2).await), ["1", "2"]);
        assert_eq!(uids(&queue.take(2).await), ["3"]);
    }

    #[tokio::test]
    async fn what_had_no_answer_comes_first_again() {
        let queue = EndingQueue::new();
        ["1", "2", "3"].into_iter().for_each(|uid| queue.push(ending(uid)));
        let batch = queue.take(2).await;
        queue.put_back(batch);
        assert_eq!(uids(&queue.take(9).await), ["1", "2", "3"]);
    }

    #[tokio::test]
    async fn at_the_bound_the_oldest_is_dropped() {
        let queue = EndingQueue::bounded(2);
        ["1", "2", "3"].into_iter().for_each(|uid| queue.push(ending(uid)));
        let batch = queue.take(9).await;
        assert_eq!(uids(&batch), ["2", "3"]);
        queue.push(ending("4"));
        queue.put_back(batch);
        assert_eq!(uids(&queue.take(9).await), ["3", "4"]);
    }

    #[tokio::test]
    async fn a_worker_that_waits_is_woken() {
        let queue = std::sync::Arc::new(EndingQueue::new());
        let worker = tokio::spawn({
            let queue = queue.clone();
            async move { queue.take(1).await }
        });
        tokio::task::yield_now().await;
        queue.push(ending("1"));
        assert_eq!(uids(&worker.await.expect("the worker ends by itself")), ["1"]);
    }

    #[tokio::test]
    async fn drained_waits_for_what_is_in_hand() {
        let queue = EndingQueue::new();
        queue.push(ending("1"));
        let batch = queue.take(1).await;
        assert!(queue.is_empty());
        let drained = queue.drained();
        tokio::pin!(drained);
        assert!(futures_util::poll!(drained.as_mut()).is_pending());
        queue.put_back(batch);
        queue.finish();
        assert!(futures_util::poll!(drained.as_mut()).is_pending());
        queue.take(1).await;
        queue.finish();
        drained.await;
    }
}
