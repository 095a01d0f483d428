//! Tells friends who came and who went, and tells who came which friends are there; finishes what two users agreed on and
//! a crash left half done.
//!
//! The store notes who has to be told of, in the very script that seats or ends a session, so nothing is lost with a node.
//! Whoever looks at a shard takes what is due there, for a while: if it dies, another finds it again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use crate::fleet::errand;
use crate::gateway::Gateway;
use crate::id::Uid;
use crate::metric::Metric;
use crate::script::caller::answer;
use crate::script::{Argument, Arguments, CallError, Caller, Effect, Shard};

/// Time between two looks at all shards, for what nodes that died left undone.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Users of one shard who are taken at a time.
const PAGE_MAX: usize = 100;
/// Users whose friends are told at the same time.
const USERS_MAX: usize = 32;
/// Shards that are looked at at the same time.
const SHARDS_MAX: usize = 8;

/// Looks where something stirs, and everywhere now and then, for as long as it is polled. At most `calls_max` friends are
/// asked or told at a time.
pub async fn work(caller: Arc<Caller>, gateway: Arc<Gateway>, calls_max: usize) {
    let turns = Semaphore::new(calls_max);
    let mut sweeps = interval(SWEEP_EVERY);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let shards = tokio::select! {
            shards = gateway.stir().wait() => shards,
            _ = sweeps.tick() => caller.shards().collect(),
        };
        let looks = shards.into_iter().map(|shard| look(&caller, &gateway, &turns, shard));
        stream::iter(looks).buffer_unordered(SHARDS_MAX).collect::<()>().await;
    }
}

/// Takes what is due on a shard. What cannot be done now is found again by a later look.
async fn look(caller: &Caller, gateway: &Gateway, turns: &Semaphore, shard: Shard) {
    match tell_due(caller, turns, shard).await {
        Ok(None) => {}
        Ok(Some(next)) => gateway.stir().look(shard, next),
        Err(error) => note(&error, shard),
    }
}

/// Answers after which time somebody else of this shard is due.
async fn tell_due(caller: &Caller, turns: &Semaphore, shard: Shard) -> Result<Option<Duration>, CallError> {
    let arguments = Arguments::new().with(Argument::PageMax, PAGE_MAX.to_string());
    let effects = caller.run_on("presence", shard, None, arguments).await?.effects;
    let next_ms = answer("presence", &effects)?["next_ms"].as_u64();
    let users = effects.into_iter().filter_map(|effect| match effect {
        Effect::Call { script, uid, arguments } => Some(tell_friends(caller, turns, script, uid, arguments)),
        _ => None,
    });
    // Nobody has to wait because of somebody else's friends.
    let outcomes: Vec<_> = stream::iter(users).buffer_unordered(USERS_MAX).collect().await;
    outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).for_each(|error| note(error, shard));
    Ok(next_ms.map(Duration::from_millis))
}

/// A store that is away comes back, and the sweep with it; a script that fails wants to be mended.
fn note(error: &CallError, shard: Shard) {
    match error.retry_after_ms() {
        Some(_) => tracing::debug!(shard = shard.0, %error, "friends could not be told"),
        None => tracing::error!(shard = shard.0, %error, "friends cannot be told"),
    }
}

async fn tell_friends(
    caller: &Caller,
    turns: &Semaphore,
    script: String,
    uid: Uid,
    arguments: Arguments<'static>,
) -> Result<(), CallError> {
    let told = errand::run(caller, turns, &script, &uid, arguments).await?;
    Metric::Notices.counter().increment(told.calls as u64);
    // Whoever has agreed on nothing with anybody has but one page, an empty one.
    if told.pages > 1 {
        errand::run(caller, turns, "mend", &uid, Arguments::new()).await?;
    }
    Ok(())
}
