//! How many sessions a node holds: the size of its range in every roster, exact at the moment when each was asked.
//!
//! In a cluster the rosters lie on many servers and are asked one beside the other, so the sum is exact where nobody came
//! or went meanwhile. A node's own beat must not fail because one of many servers is away, or a slot is on the move:
//! such a roster counts as it did last.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::id::Name;
use crate::script::caller::answer;
use crate::script::{Argument, Arguments, CallError, Caller, Shard};

/// Rosters that are asked at once.
const SHARDS_MAX: usize = 64;

/// Sessions of one incarnation of a node, summed over the shards.
pub async fn count_sessions(caller: &Caller, node: &Name, incarnation: u64) -> Result<u64, CallError> {
    let counts = caller.shards().map(|shard| count_shard(caller, node, incarnation, shard));
    stream::iter(counts).buffer_unordered(SHARDS_MAX).try_fold(0, async |sum, count| Ok(sum + count)).await
}

/// What a node last heard of its own sessions, shard by shard.
pub struct Census {
    counts: Vec<AtomicU64>,
}

impl Census {
    /// Nothing was heard yet.
    pub fn new(caller: &Caller) -> Self {
        Self { counts: caller.shards().map(|_| AtomicU64::new(0)).collect() }
    }

    /// Asks every roster, and answers the sum. One that does not answer within `patience` counts as it did last.
    pub async fn take(&self, caller: &Caller, patience: Duration) -> u64 {
        let standing = caller.standing();
        let (node, incarnation) = (standing.node(), standing.incarnation());
        let questions = caller.shards().zip(&self.counts).map(async |(shard, known)| {
            let counted = tokio::time::timeout(patience, count_shard(caller, node, incarnation, shard)).await;
            match counted {
                Ok(Ok(count)) => known.store(count, Ordering::Relaxed),
                Ok(Err(error)) => tracing::debug!(shard = shard.0, %error, "a roster could not be counted"),
                Err(_) => tracing::debug!(shard = shard.0, "a roster was not counted in time"),
            }
        });
        stream::iter(questions).for_each_concurrent(SHARDS_MAX, |question| question).await;
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

async fn count_shard(caller: &Caller, node: &Name, incarnation: u64, shard: Shard) -> Result<u64, CallError> {
    let arguments =
        Arguments::new().with(Argument::Node, node.as_str()).with(Argument::Incarnation, incarnation.to_string());
    let effects = caller.run_on("count", shard, None, arguments).await?.effects;
    Ok(answer("count", &effects)?["count"].as_u64().unwrap_or_default())
}
