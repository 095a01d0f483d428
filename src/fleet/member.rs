//! The node's heart: beats while it lives, verifies now and then and whenever something may have been missed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::fleet::lease::{Beat, Lease, RegisterError};
use crate::fleet::verify::{Findings, verify_all};
use crate::gateway::Gateway;
use crate::readiness::{Condition, Readiness};
use crate::script::Caller;

/// How often the node beats and verifies.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    pub beat: Duration,
    pub verify: Duration,
}

/// What keeps a registered node a member of the fleet.
pub struct Member {
    pub caller: Arc<Caller>,
    pub lease: Arc<Lease>,
    pub gateway: Arc<Gateway>,
    pub readiness: Arc<Readiness>,
    /// Woken when a message may have been missed; answered with a verify.
    pub resync: Arc<Notify>,
    pub rhythm: Rhythm,
}

impl Member {
    /// Runs until another process has taken this node's name, which it answers by returning.
    pub async fn live(self) {
        let mut beats = interval(self.rhythm.beat);
        let mut rounds = interval(self.rhythm.verify);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rounds.tick().await;
        let mut is_due = false;
        loop {
            tokio::select! {
                _ = beats.tick() => {},
                _ = rounds.tick() => is_due = true,
                () = self.resync.notified() => is_due = true,
            }
            let beat = self.beat().await;
            self.readiness.set(Condition::Redis, beat.is_some());
            self.readiness.set(Condition::Node, self.caller.standing().has_lease());
            match beat {
                None => is_due = true,
                Some(Beat::Superseded) => {
                    tracing::error!("another process has taken the name of this node, which stops");
                    return;
                }
                Some(Beat::Unknown) => is_due = !self.verify().await,
                Some(Beat::Renewed) if is_due => is_due = !self.verify().await,
                Some(Beat::Renewed) => {}
            }
        }
    }

    /// Beats once; a node that the directory does not know any more registers anew. `None`: there was no answer.
    async fn beat(&self) -> Option<Beat> {
        let beat = self.lease.beat().await.inspect_err(|error| tracing::warn!(%error, "a beat failed")).ok()?;
        if beat != Beat::Unknown {
            return Some(beat);
        }
        match self.lease.register().await {
            Ok(_) => Some(Beat::Unknown),
            Err(RegisterError::Taken { .. }) => Some(Beat::Superseded),
            Err(error) => {
                tracing::warn!(%error, "registering anew failed");
                None
            }
        }
    }

    /// Whether the round came to its end; if not, it is due again at the next beat.
    async fn verify(&self) -> bool {
        match verify_all(&self.caller, &self.gateway).await {
            Ok(found) if found.repaired + found.closed + found.strays > 0 => {
                let Findings { verified, repaired, closed, strays } = found;
                tracing::warn!(verified, repaired, closed, strays, "sessions and seats differed and were mended");
                true
            }
            Ok(found) => {
                tracing::debug!(verified = found.verified, "sessions and seats agree");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "verifying failed and is tried again");
                false
            }
        }
    }
}
