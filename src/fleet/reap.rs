//! Removes what dead nodes left in the rosters, and what older incarnations of this node did.
//!
//! Marking comes first: one script of the directory decides who is dead, and a node that was marked is told to register
//! anew before it seats anybody again. Then every roster is looked through for incarnations that nobody lives under, and
//! each of their sessions is ended by a call of its own. Nothing is ever finished for good: the next pass looks again, and
//! two nodes that do the same at once do no harm, because every call compares the sid and the incarnation.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde::Deserialize;

use crate::fleet::answer::read;
use crate::id::Name;
use crate::metric::Metric;
use crate::script::caller::answer;
use crate::script::{Argument, Arguments, CallError, Caller, Effect, Shard};

/// Entries of one page, and so the longest that the script keeps Redis busy.
const PAGE_MAX: usize = 500;
/// Calls in flight at once.
const CALLS_MAX: usize = 64;
/// Rosters that are looked through at once.
const SHARDS_MAX: usize = 16;
/// Pause after a page of a dead node, so that the logins of its clients find their way in between.
const PAGE_PAUSE: Duration = Duration::from_millis(10);

/// Who is dead, as the directory decided.
#[derive(Deserialize, Debug)]
struct Verdict {
    /// Nodes that were marked by this very call.
    marked: u64,
    /// Whether the directory can be trusted to know who lives: not right after an outage of all.
    calm: bool,
    nodes: Vec<Known>,
}

#[derive(Deserialize, Debug)]
struct Known {
    name: String,
    incarnation: u64,
    dead: bool,
}

/// An incarnation of a node that a roster has sessions of.
#[derive(Deserialize, Debug)]
struct Owner {
    node: String,
    incarnation: u64,
}

#[derive(Deserialize)]
struct Owners {
    owners: Vec<Owner>,
    cursor: String,
}

/// What the directory says of every name, for one pass.
struct Directory {
    calm: bool,
    known: HashMap<String, (u64, bool)>,
}

impl Directory {
    fn new(verdict: Verdict) -> Self {
        let known = verdict.nodes.into_iter().map(|node| (node.name, (node.incarnation, node.dead))).collect();
        Self { calm: verdict.calm, known }
    }

    /// Whether nobody lives under this incarnation. A node that lives looks after its older ones by itself. What the
    /// directory does not know it may have forgotten, so that counts only while it is calm.
    fn is_abandoned(&self, owner: &Owner) -> bool {
        match self.known.get(&owner.node) {
            Some((_, false)) => false,
            // A newer one came after the directory fell back to when this one was dead; it will be heard of.
            Some((incarnation, true)) => owner.incarnation <= *incarnation,
            None => self.calm,
        }
    }
}

/// Marks the nodes whose lease is out. Answers whether any was not marked before.
pub async fn mark_dead(caller: &Caller) -> Result<bool, CallError> {
    Ok(mark(caller).await?.marked > 0)
}

async fn mark(caller: &Caller) -> Result<Verdict, CallError> {
    read("mark", caller.ask("mark", None, Arguments::new()).await?)
}

/// One pass over all rosters: marks who is dead, and ends the sessions that nobody holds any more. Answers how many.
///
/// Who owns sessions is asked before who is dead: a node that registers in between, and seats somebody at once, is then
/// not among those that are asked about.
pub async fn reap_dead(caller: &Caller) -> Result<usize, CallError> {
    let owners = caller.shards().map(|shard| owners_of(caller, shard));
    let owners: Vec<_> = stream::iter(owners).buffer_unordered(SHARDS_MAX).collect().await;
    let owners = owners.into_iter().collect::<Result<Vec<_>, _>>()?;
    let directory = Directory::new(mark(caller).await?);
    let abandoned = owners.into_iter().flatten().filter(|(_, owner)| directory.is_abandoned(owner));
    let passes = abandoned.map(|(shard, owner)| reap_owner(caller, shard, owner));
    let counts: Vec<_> = stream::iter(passes).buffer_unordered(SHARDS_MAX).collect().await;
    counts.into_iter().sum()
}

async fn owners_of(caller: &Caller, shard: Shard) -> Result<Vec<(Shard, Owner)>, CallError> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let arguments = Arguments::new().with(Argument::Cursor, cursor).with(Argument::PageMax, PAGE_MAX.to_string());
        let verdict = caller.run_on("owners", shard, None, arguments).await?;
        let page: Owners = read("owners", answer("owners", &verdict.effects)?)?;
        found.extend(page.owners.into_iter().map(|owner| (shard, owner)));
        if page.cursor.is_empty() {
            return Ok(found);
        }
        cursor = page.cursor;
    }
}

async fn reap_owner(caller: &Caller, shard: Shard, owner: Owner) -> Result<usize, CallError> {
    let Some(node) = Name::parse(&owner.node) else { return Ok(0) };
    let count = reap_until(caller, shard, &node, owner.incarnation.saturating_add(1)).await?;
    tracing::info!(%node, incarnation = owner.incarnation, shard = shard.0, count, "reaped the sessions of a dead node");
    Ok(count)
}

/// Ends every session that an older incarnation of this node left in the rosters. Answers how many.
pub async fn reap_older(caller: &Caller) -> Result<usize, CallError> {
    let (node, incarnation) = (caller.standing().node(), caller.standing().incarnation());
    let passes = caller.shards().map(|shard| reap_until(caller, shard, node, incarnation));
    let counts: Vec<_> = stream::iter(passes).buffer_unordered(SHARDS_MAX).collect().await;
    counts.into_iter().sum()
}

/// Ends every session of a node on one shard that is of an incarnation before this one.
async fn reap_until(caller: &Caller, shard: Shard, node: &Name, incarnation: u64) -> Result<usize, CallError> {
    let (mut reaped, mut cursor) = (0, String::new());
    loop {
        let arguments = Arguments::new()
            .with(Argument::Node, node.as_str())
            .with(Argument::Incarnation, incarnation.to_string())
            .with(Argument::Cursor, cursor)
            .with(Argument::PageMax, PAGE_MAX.to_string());
        let page = caller.run_on("reap", shard, None, arguments).await?.effects;
        cursor = answer("reap", &page)?["cursor"].as_str().unwrap_or_default().to_owned();
        reaped += run_calls(caller, page).await?;
        if cursor.is_empty() {
            return Ok(reaped);
        }
        tokio::time::sleep(PAGE_PAUSE).await;
    }
}

/// Runs the calls of a page. One that fails in its script is logged and left to the next pass, so that one damaged seat
/// keeps nobody from the others; where the store is away the page ends.
async fn run_calls(caller: &Caller, page: Vec<Effect>) -> Result<usize, CallError> {
    let calls = page.into_iter().filter_map(|effect| match effect {
        Effect::Call { script, uid, arguments } => {
            Some(async move { (caller.run(&script, Some(&uid), arguments).await, uid) })
        }
        _ => None,
    });
    let outcomes: Vec<_> = stream::iter(calls).buffer_unordered(CALLS_MAX).collect().await;
    let mut reaped = 0;
    for (outcome, uid) in outcomes {
        match outcome {
            Ok(_) => reaped += 1,
            Err(error) if error.retry_after_ms().is_some() => return Err(error),
            Err(error) => tracing::error!(%uid, %error, "a session of a dead node cannot be ended"),
        }
    }
    Metric::Reaped.counter().increment(reaped as u64);
    Ok(reaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(calm: bool) -> Directory {
        let known = [("lives", 500, false), ("died", 500, true)];
        let nodes = known.map(|(name, incarnation, dead)| Known { name: name.to_owned(), incarnation, dead });
        Directory::new(Verdict { marked: 0, calm, nodes: nodes.into() })
    }

    fn is_abandoned(calm: bool, node: &str, incarnation: u64) -> bool {
        directory(calm).is_abandoned(&Owner { node: node.to_owned(), incarnation })
    }

    #[test]
    fn who_was_marked_is_reaped_with_all_before() {
        for calm in [true, false] {
            assert!(is_abandoned(calm, "died", 500));
            assert!(is_abandoned(calm, "died", 400));
        }
    }

    #[test]
    fn a_node_that_lives_is_left_alone_with_all_its_incarnations() {
        for incarnation in [400, 500, 600, 2_000] {
            assert!(!is_abandoned(true, "lives", incarnation));
        }
    }

    #[test]
    fn what_the_directory_does_not_know_is_reaped_only_when_it_is_calm() {
        assert!(is_abandoned(true, "forgotten", 500));
        assert!(!is_abandoned(false, "forgotten", 500));
        for calm in [true, false] {
            assert!(!is_abandoned(calm, "died", 600));
        }
    }
}
