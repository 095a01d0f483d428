//! Empties this node: its sessions are sent to other nodes at an even pace.
//!
//! The directory names no newcomers to a node that is drained, and its gateway refuses logins, so it only gets emptier.
//! Each client is told where to go and when; the times differ, so that they do not all arrive together.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::fleet::assign::{Wish, assign};
use crate::gateway::{Door, Gateway};
use crate::id::Sid;
use crate::script::{Argument, Arguments, CallError, Caller};

/// Time between two handfuls of goodbyes.
const STEP: Duration = Duration::from_millis(100);
/// Longest time that a client is asked to wait before it comes back, in milliseconds; the shortest is none.
const RETURN_MS_MAX: u64 = 2_000;

/// Sends every session away within about `over`, and goes on with those that still came, until none is left.
///
/// Whoever has no place to go to stays for the time being, and is sent away without one when the time is over. `wish` says
/// where they like to go.
pub async fn empty(caller: &Caller, gateway: &Gateway, over: Duration, wish: Wish<'_>) {
    let begun = Instant::now();
    gateway.set_door(Door::Drained { elsewhere: None });
    tracing::info!(sessions = gateway.session_count(), ?over, "draining: sessions are sent to other nodes");
    let mut at = begun;
    loop {
        let sids = gateway.sids();
        if sids.is_empty() {
            tracing::info!(took = ?begun.elapsed(), "drained: no session is left");
            return;
        }
        let left = over.saturating_sub(begun.elapsed());
        for handful in sids.chunks(per_step(sids.len(), left)) {
            send_away(caller, gateway, handful, wish, begun.elapsed() < over).await;
            at = Instant::now().max(at + STEP);
            sleep_until(at).await;
        }
    }
}

/// Tells the directory that this node is to be emptied. It hears of it by its next beat, as of an operator's wish. Answers
/// whether the directory knows the node.
pub async fn announce(caller: &Caller, over: Duration) -> Result<bool, CallError> {
    let arguments = Arguments::new().with(Argument::Draining, "1").with(Argument::OverMs, over.as_millis().to_string());
    Ok(caller.ask("drain", None, arguments).await?["outcome"] == "draining")
}

/// How many have to go with each step for all to be gone in time.
fn per_step(count: usize, left: Duration) -> usize {
    let steps = (left.as_millis() / STEP.as_millis()).max(1);
    count.div_ceil(usize::try_from(steps).unwrap_or(usize::MAX)).max(1)
}

/// Sends away those for whom there is a place; the others too, where they may not wait for one any more.
async fn send_away(caller: &Caller, gateway: &Gateway, sids: &[Sid], wish: Wish<'_>, may_wait: bool) {
    let wish = Wish { count: sids.len(), ..wish };
    let places = assign(caller, wish).await.map(|assignment| assignment.addresses).unwrap_or_else(|error| {
        tracing::warn!(%error, "no other node could be asked for; clients are told to find one by themselves");
        Vec::new()
    });
    // Logins that this node still refuses are told the same place.
    gateway.set_door(Door::Drained { elsewhere: places.first().cloned() });
    let leaving = if may_wait { places.len().min(sids.len()) } else { sids.len() };
    let mut places = places.into_iter();
    for sid in &sids[..leaving] {
        gateway.send_elsewhere(*sid, places.next().as_deref(), jitter_ms());
    }
}

fn jitter_ms() -> u64 {
    let (high, _) = Uuid::new_v4().as_u64_pair();
    high % RETURN_MS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_empties_a_node_in_time() {
        for (count, seconds, expected) in [(1_000, 10, 10), (1, 60, 1), (60_000, 60, 100), (7, 0, 7), (0, 5, 1)] {
            assert_eq!(per_step(count, Duration::from_secs(seconds)), expected, "{count} in {seconds} s");
        }
    }

    #[test]
    fn clients_come_back_at_different_times() {
        let times: std::collections::HashSet<_> = (0..100).map(|_| jitter_ms()).collect();
        assert!(times.len() > 50 && times.iter().all(|ms| *ms < RETURN_MS_MAX));
    }
}
