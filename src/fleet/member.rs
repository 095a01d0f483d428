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
    /// Woken when something may have been missed; answered with a verify.
    pub resync: Arc<Notify>,
    /// Woken when the fleet may run other script versions than this node.
    pub announced: Arc<Notify>,
    pub rhythm: Rhythm,
}

impl Member {
    /// Runs until another process has taken this node's name, which it answers by returning. Beats never wait for a
    /// verify, which may take longer than a lease.
    pub async fn live(self) {
        let followed = Notify::new();
        tokio::select! {
            () = self.keep_beating(&followed) => {}
            () = self.keep_verified() => {}
            () = self.keep_following(&followed) => {}
        }
    }

    /// `followed` asks for a beat before the next one is due.
    async fn keep_beating(&self, followed: &Notify) {
        let mut beats = interval(self.rhythm.beat);
        let mut rounds = interval(self.rhythm.verify);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rounds.tick().await;
        let mut was_away = false;
        loop {
            tokio::select! {
                _ = beats.tick() => {},
                _ = rounds.tick() => self.resync.notify_one(),
                () = followed.notified() => {},
            }
            let beat = self.beat().await;
            self.readiness.set(Condition::Redis, beat.is_some());
            self.readiness.set(Condition::Node, self.caller.standing().has_lease());
            match beat {
                Some(Beat::Superseded) => {
                    tracing::error!("another process has taken the name of this node, which stops");
                    return;
                }
                Some(Beat::Unknown) => {
                    self.resync.notify_one();
                    self.announced.notify_one();
                }
                Some(Beat::Renewed { revision }) => {
                    if was_away {
                        self.resync.notify_one();
                    }
                    if revision != self.caller.active().revision() {
                        self.announced.notify_one();
                    }
                }
                None => {}
            }
            was_away = beat.is_none();
        }
    }

    /// Verifies whenever something may have been missed, and again until a round came to its end.
    async fn keep_verified(&self) {
        loop {
            self.resync.notified().await;
            while !self.verify().await {
                tokio::time::sleep(self.rhythm.beat).await;
            }
        }
    }

    /// Follows the fleet's script versions whenever they may have changed, and lets the fleet know by a beat. What could
    /// not be followed is tried again and again, at the pace of beats.
    async fn keep_following(&self, followed: &Notify) {
        if self.caller.is_local() {
            return std::future::pending().await;
        }
        loop {
            self.announced.notified().await;
            while !self.follow(followed).await {
                tokio::time::sleep(self.rhythm.beat).await;
            }
        }
    }

    /// Whether the node runs what the fleet chose.
    async fn follow(&self, followed: &Notify) -> bool {
        let before = self.caller.trouble();
        let outcome = self.caller.follow().await;
        if let Err(error) = &outcome
            && error.is_passing()
        {
            tracing::debug!(%error, "the fleet's script versions could not be asked for");
            return false;
        }
        self.readiness.set(Condition::Scripts, outcome.is_ok());
        let trouble = self.caller.trouble();
        if let Some(trouble) = trouble.as_ref().filter(|_| trouble != before) {
            tracing::error!(%trouble, "cannot follow the fleet's script versions, and keeps its own");
        }
        if trouble != before || outcome.as_ref().is_ok_and(|changed| *changed) {
            followed.notify_one();
        }
        outcome.is_ok()
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

    /// Whether the round came to its end.
    async fn verify(&self) -> bool {
        match verify_all(&self.caller, &self.gateway).await {
            Ok(Findings { verified, repaired: 0, closed: 0, strays: 0, open: 0 }) => {
                tracing::debug!(verified, "sessions and seats agree");
                true
            }
            Ok(Findings { verified, repaired, closed, strays, open }) => {
                tracing::warn!(verified, repaired, closed, strays, open, "sessions and seats differed and were mended");
                open == 0
            }
            Err(error) => {
                tracing::warn!(%error, "verifying failed and is tried again");
                false
            }
        }
    }
}
