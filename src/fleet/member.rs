//! The node's heart: beats while it lives, verifies now and then and whenever something may have been missed, reaps what
//! dead nodes left, and empties itself when it is told to.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::config::Partition;
use crate::fleet::assign::Wish;
use crate::fleet::drain::{self, empty};
use crate::fleet::lease::{Beat, Lease, RegisterError, Registration};
use crate::fleet::reap::{mark_dead, reap_dead};
use crate::fleet::verify::{Findings, verify_all};
use crate::gateway::{Door, Gateway};
use crate::metric::Metric;
use crate::readiness::{Condition, Readiness};
use crate::reason::Reason;
use crate::script::Caller;

/// Time between two looks at a node that is fenced and has no lease.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Rounds that came to their end with sessions that had no answer, before newcomers are let in again.
const PARTIAL_ROUNDS_MAX: u32 = 3;

/// How far a round of verifying came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verified {
    /// Every session was held against its seat.
    Whole,
    /// Some had no answer.
    InPart,
    /// A new round was asked for meanwhile.
    Cut,
    /// The store was away.
    Not,
}

/// How often the node beats and verifies, and what it does when it is cut off.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    pub beat: Duration,
    pub verify: Duration,
    /// How long a place is kept for a client that was sent elsewhere.
    pub reserve: Duration,
    /// What becomes of the sessions when the lease has run out.
    pub partition: Partition,
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
    /// What the registration at the start answered.
    pub registration: Registration,
}

/// What the tasks of a member tell each other.
struct Signals {
    /// A beat is wanted before the next one is due.
    followed: Notify,
    /// Some node is overdue.
    overdue: Notify,
    /// The time over which this node is to be emptied; none while it is not.
    drain: watch::Sender<Option<Duration>>,
}

impl Member {
    /// Runs until another process has taken this node's name, which it answers by returning. Beats never wait for a
    /// verify, which may take longer than a lease.
    pub async fn live(self) {
        let drain = watch::Sender::new(self.registration.drain);
        let signals = Signals { followed: Notify::new(), overdue: Notify::new(), drain };
        tokio::select! {
            () = self.keep_beating(&signals) => {}
            () = self.keep_verified() => {}
            () = self.keep_following(&signals.followed) => {}
            () = self.keep_reaping(&signals.overdue) => {}
            () = self.keep_drained(signals.drain.subscribe()) => {}
            () = self.keep_fenced() => {}
        }
    }

    async fn keep_beating(&self, signals: &Signals) {
        let mut beats = rhythm(self.rhythm.beat);
        let (mut was_away, mut arrivals) = (false, 0);
        let mut store = self.registration.store.clone();
        loop {
            tokio::select! {
                _ = beats.tick() => {},
                () = signals.followed.notified() => {},
            }
            arrivals += self.gateway.take_arrivals();
            let beat = self.beat(arrivals, &mut store, signals).await;
            self.readiness.set(Condition::Redis, beat.is_some());
            self.tell_whether_known();
            match beat {
                Some(Beat::Superseded) => {
                    tracing::error!("another process has taken the name of this node, which stops");
                    return;
                }
                Some(answer) => {
                    if std::mem::take(&mut was_away) {
                        self.resync.notify_one();
                    }
                    if answer != Beat::Unknown {
                        arrivals = 0;
                    }
                }
                None => was_away = true,
            }
        }
    }

    /// Beats once, and acts on the answer. `None`: there was no answer.
    async fn beat(&self, arrivals: u64, store: &mut String, signals: &Signals) -> Option<Beat> {
        // Until they are verified the rosters have them under the incarnation before.
        let known = if self.gateway.is_suspended() { self.gateway.session_count() as u64 } else { 0 };
        let answer = self.lease.beat(arrivals, known).await;
        let beat = answer.inspect_err(|error| tracing::warn!(%error, "a beat failed")).ok()?;
        match &beat {
            Beat::Renewed { revision, has_gone_back, drain, overdue } => {
                if *has_gone_back {
                    tracing::warn!("redis has gone back to an older copy; what it lost is put back");
                    self.resync.notify_one();
                }
                if *revision != self.caller.active().revision() {
                    self.announced.notify_one();
                }
                if *overdue > 0 {
                    signals.overdue.notify_one();
                }
                set_drain(&signals.drain, *drain);
                Some(beat)
            }
            Beat::Superseded => Some(beat),
            Beat::Unknown => self.register_anew(store, signals).await,
        }
    }

    fn tell_whether_known(&self) {
        let is_known = self.caller.standing().has_lease() && !self.gateway.is_suspended();
        self.readiness.set(Condition::Node, is_known);
    }

    /// The directory does not know this incarnation: it was taken for dead, or Redis forgot. Nobody new is seated until
    /// its sessions have been held against the seats.
    async fn register_anew(&self, store: &mut String, signals: &Signals) -> Option<Beat> {
        self.gateway.suspend();
        self.tell_whether_known();
        let outcome = self.lease.register().await;
        match outcome {
            Ok(registration) => {
                Metric::Registrations.counter_of("anew").increment(1);
                if registration.store != *store {
                    tracing::warn!(before = %store, now = registration.store, "this is another store, or one that lost everything");
                    *store = registration.store;
                }
                self.go_on_draining(registration.drain, signals).await;
                self.resync.notify_one();
                self.announced.notify_one();
                Some(Beat::Unknown)
            }
            Err(RegisterError::Taken { .. }) => Some(Beat::Superseded),
            Err(error) => {
                tracing::warn!(%error, "registering anew failed");
                None
            }
        }
    }

    /// A directory that lost everything has forgotten a drain, too, and is told of it again.
    async fn go_on_draining(&self, known: Option<Duration>, signals: &Signals) {
        let before = *signals.drain.borrow();
        let Some(over) = before.filter(|_| known.is_none()) else {
            return set_drain(&signals.drain, known);
        };
        if let Err(error) = drain::announce(&self.caller, over).await {
            tracing::warn!(%error, "the directory could not be told again that this node is drained");
        }
    }

    /// Verifies now and then, at its ease, and at once whenever something may have been missed; again until a round came
    /// to its end.
    async fn keep_verified(&self) {
        let mut rounds = rhythm(self.rhythm.verify);
        rounds.tick().await;
        loop {
            let mut over = tokio::select! {
                _ = rounds.tick() => self.rhythm.verify / 2,
                () = self.resync.notified() => Duration::ZERO,
            };
            for round in 1.. {
                let suspensions = self.gateway.suspensions();
                let verified = self.verify(over).await;
                // Newcomers do not wait for ever for the few sessions that cannot be verified.
                if verified == Verified::Whole || verified == Verified::InPart && round >= PARTIAL_ROUNDS_MAX {
                    self.gateway.resume(suspensions);
                    self.tell_whether_known();
                }
                match verified {
                    Verified::Whole => break,
                    Verified::Cut => {}
                    Verified::InPart | Verified::Not => tokio::time::sleep(self.rhythm.beat).await,
                }
                over = Duration::ZERO;
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

    /// Looks for what dead nodes left, now and then, and at once where this node is the one that marked somebody: not all
    /// nodes of a fleet need to. A store that is away is asked again at the next occasion.
    async fn keep_reaping(&self, overdue: &Notify) {
        let mut rounds = rhythm(self.rhythm.verify);
        loop {
            let has_work = tokio::select! {
                _ = rounds.tick() => Ok(true),
                () = overdue.notified() => mark_dead(&self.caller).await,
            };
            let outcome = match has_work {
                Ok(true) => reap_dead(&self.caller).await,
                Ok(false) => Ok(0),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(0) => {}
                Ok(reaped) => {
                    tracing::warn!(reaped, "the sessions of dead nodes were removed");
                    self.caller.shards().for_each(|shard| self.gateway.stir().went(shard));
                }
                Err(error) => tracing::warn!(%error, "the rosters could not be searched for dead nodes"),
            }
        }
    }

    /// Empties the node while the directory says so. An operator who changes their mind ends it at the next step.
    async fn keep_drained(&self, mut drain: watch::Receiver<Option<Duration>>) {
        loop {
            let over = *drain.borrow_and_update();
            match over {
                Some(over) => {
                    tokio::select! {
                        () = self.stay_empty(over) => {}
                        _ = drain.changed() => continue,
                    }
                }
                None => self.gateway.set_door(Door::Open),
            }
            if drain.changed().await.is_err() {
                return;
            }
        }
    }

    /// Logins that were under way when the door was shut may still be seated.
    async fn stay_empty(&self, over: Duration) {
        loop {
            let wish = Wish { count: 0, zone: self.lease.zone(), reserve: self.rhythm.reserve };
            empty(&self.caller, &self.gateway, over, wish).await;
            while self.gateway.session_count() == 0 {
                tokio::time::sleep(self.rhythm.beat).await;
            }
        }
    }

    /// Under `fence` nobody is served past the end of the lease, judged by this node's own clock: a newer session of the
    /// same user may be served elsewhere from then on.
    async fn keep_fenced(&self) {
        if self.rhythm.partition == Partition::Hold {
            return std::future::pending().await;
        }
        loop {
            let left = Duration::from_millis(self.caller.standing().lease_left_ms());
            if left.is_zero() {
                let closed = self.gateway.close_sessions(Reason::Fenced);
                if closed > 0 {
                    tracing::error!(closed, "the lease ran out: all sessions are closed");
                }
            }
            // A beat may have renewed it by then.
            tokio::time::sleep(if left.is_zero() { LOOK_EVERY } else { left }).await;
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

    async fn verify(&self, over: Duration) -> Verified {
        match verify_all(&self.caller, &self.gateway, over, &self.resync).await {
            Ok(findings) => {
                match findings.is_clean() {
                    true => tracing::debug!(
                        ?findings,
                        "sessions and seats agree, as far as they could be held against each other"
                    ),
                    false => tracing::warn!(?findings, "sessions and seats differed and were mended"),
                }
                match findings {
                    Findings { is_cut: true, .. } => Verified::Cut,
                    Findings { open: 0, .. } => Verified::Whole,
                    _ => Verified::InPart,
                }
            }
            Err(error) => {
                tracing::warn!(%error, "verifying failed and is tried again");
                Verified::Not
            }
        }
    }
}

fn rhythm(period: Duration) -> Interval {
    let mut rhythm = interval(period);
    rhythm.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rhythm
}

fn set_drain(sender: &watch::Sender<Option<Duration>>, drain: Option<Duration>) {
    sender.send_if_modified(|current| std::mem::replace(current, drain) != drain);
}
