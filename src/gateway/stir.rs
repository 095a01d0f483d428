//! Shards on which users came or went a moment ago, each with the time when somebody should look there.
//!
//! The store knows who has to be told of whom; this only saves looking at every shard all the time. What a node that died
//! left undone is found by those who look everywhere now and then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::script::Shard;

/// Time after a login within which it reaches its friends: others who log in at the same moment are told of together.
const SOON: Duration = Duration::from_millis(20);
/// Time by which an absence is looked at later than it is due, so that the store agrees that it is.
const LATER: Duration = Duration::from_millis(50);

/// When to look at which shard.
#[derive(Debug)]
pub struct Stir {
    grace: Duration,
    due: Mutex<HashMap<Shard, Instant>>,
    changed: Notify,
}

impl Stir {
    /// Nothing stirs; whoever goes is told of after this grace.
    pub fn new(grace: Duration) -> Self {
        Self { grace, due: Mutex::default(), changed: Notify::new() }
    }

    /// A user of this shard came.
    pub fn came(&self, shard: Shard) {
        self.look(shard, SOON);
    }

    /// A user of this shard went.
    pub fn went(&self, shard: Shard) {
        self.look(shard, self.grace + LATER);
    }

    /// Somebody should look at this shard after a while, or earlier if that was said already.
    pub fn look(&self, shard: Shard, after: Duration) {
        let at = Instant::now() + after;
        let mut due = self.lock();
        let is_earlier = due.get(&shard).is_none_or(|known| at < *known);
        if is_earlier {
            due.insert(shard, at);
            drop(due);
            self.changed.notify_one();
        }
    }

    /// Waits until it is time to look somewhere, and answers where.
    pub async fn wait(&self) -> Vec<Shard> {
        loop {
            let next = {
                let now = Instant::now();
                let mut due = self.lock();
                let shards: Vec<Shard> = due.iter().filter(|(_, at)| **at <= now).map(|(shard, _)| *shard).collect();
                if !shards.is_empty() {
                    due.retain(|_, at| *at > now);
                    return shards;
                }
                due.values().min().copied()
            };
            let asleep = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = asleep => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Shard, Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_shard_is_looked_at_when_the_first_reason_is_due() {
        let stir = Stir::new(Duration::from_secs(5));
        let started = Instant::now();
        stir.went(Shard(1));
        stir.went(Shard(2));
        stir.came(Shard(2));
        assert_eq!(stir.wait().await, [Shard(2)]);
        assert!(started.elapsed() < Duration::from_secs(1));
        assert_eq!(stir.wait().await, [Shard(1)]);
        assert!(started.elapsed() >= Duration::from_secs(5));
        let more = tokio::time::timeout(Duration::from_secs(60), stir.wait()).await;
        assert!(more.is_err(), "nothing stirs any more");
    }
}
