//! What is the same for every call of this node: its identity, its settings, its lease, and Redis' clock as last seen.
//!
//! `fleet::lease` writes it after each beat; the caller reads it for every script. No lock: a call takes each value as
//! it stands, and a script refuses what is too late by Redis' own clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::id::Name;
use crate::script::argument::{Argument, Arguments};

/// What the name of a node is appended to, to make its channel.
pub const CHANNEL_PREFIX: &str = "os:node:";
/// Where every node hears that the fleet runs other script versions.
pub const SCRIPTS_CHANNEL: &str = "os:scripts";

/// The part of a lease, one in so many, at whose end nothing is claimed any more. The directory's clock gives the lease,
/// and in a cluster that of another primary judges a claim: they may differ by so much.
const SKEW_SHARE: u64 = 10;

/// The node's identity and settings as scripts see them.
#[derive(Debug)]
pub struct Standing {
    node: Name,
    /// Arguments that never change while the process runs.
    settings: Vec<(Argument, String)>,
    /// Incarnation of the last registration; 0 before the first.
    incarnation: AtomicU64,
    /// Start of this process: what local milliseconds count from.
    started: Instant,
    /// Redis' milliseconds minus local ones, at the moment when an answer with its clock had arrived. Never ahead of
    /// Redis, because Redis read its clock before the answer travelled.
    redis_offset_ms: AtomicU64,
    /// End of the lease in Redis' milliseconds, less a margin; 0 while there is none.
    lease_until_redis_ms: AtomicU64,
    /// End of the lease in local milliseconds, counted from before the beat was sent.
    lease_until_local_ms: AtomicU64,
}

impl Standing {
    /// `settings` are the arguments that every call of this node shares.
    pub fn new(node: Name, settings: Vec<(Argument, String)>) -> Self {
        Self {
            node,
            settings,
            incarnation: AtomicU64::new(0),
            started: Instant::now(),
            redis_offset_ms: AtomicU64::new(0),
            lease_until_redis_ms: AtomicU64::new(0),
            lease_until_local_ms: AtomicU64::new(0),
        }
    }

    /// The node of a configuration, with all settings that scripts are told.
    pub fn of(config: &Config) -> Self {
        Self::new(config.node.name.clone(), settings(config))
    }

    /// Name of this node.
    pub fn node(&self) -> &Name {
        &self.node
    }

    /// Channel on which other nodes' scripts reach the sessions of this one.
    pub fn channel(&self) -> String {
        format!("{CHANNEL_PREFIX}{}", self.node)
    }

    /// Incarnation that the node is registered under; 0 before it is.
    pub fn incarnation(&self) -> u64 {
        self.incarnation.load(Ordering::Acquire)
    }

    /// Local milliseconds since this process started.
    pub fn local_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Redis' clock in milliseconds, as far as it is known here: never ahead of it, and behind by the time that the answer
    /// to the last beat took.
    pub fn redis_ms(&self) -> u64 {
        self.local_ms().wrapping_add(self.redis_offset_ms.load(Ordering::Acquire))
    }

    /// Milliseconds that are left of the lease by this node's own clock; 0 without one.
    pub fn lease_left_ms(&self) -> u64 {
        self.lease_until_local_ms.load(Ordering::Acquire).saturating_sub(self.local_ms())
    }

    /// Whether the lease still runs by this node's own clock. Without it nobody is seated.
    pub fn has_lease(&self) -> bool {
        self.lease_left_ms() > 0
    }

    /// Redis' clock past which a claiming call that starts now is void: after `budget`, but never after the lease.
    pub fn not_after(&self, budget: Duration) -> u64 {
        let budget_ms = u64::try_from(budget.as_millis()).unwrap_or(u64::MAX);
        self.redis_ms().saturating_add(budget_ms).min(self.lease_until_redis_ms.load(Ordering::Acquire))
    }

    /// Notes a new registration.
    pub fn set_incarnation(&self, incarnation: u64) {
        self.incarnation.store(incarnation, Ordering::Release);
    }

    /// Notes a lease: Redis said at `redis_now_ms` that it runs until `redis_until_ms`; the call was sent at
    /// `sent_local_ms`.
    pub fn set_lease(&self, redis_now_ms: u64, redis_until_ms: u64, sent_local_ms: u64) {
        let lease_ms = redis_until_ms.saturating_sub(redis_now_ms);
        self.redis_offset_ms.store(redis_now_ms.wrapping_sub(self.local_ms()), Ordering::Release);
        self.lease_until_redis_ms.store(redis_until_ms.saturating_sub(lease_ms / SKEW_SHARE), Ordering::Release);
        self.lease_until_local_ms.store(sent_local_ms.saturating_add(lease_ms), Ordering::Release);
    }

    /// Gives the lease up: nobody is seated from now on.
    pub fn drop_lease(&self) {
        self.lease_until_redis_ms.store(0, Ordering::Release);
        self.lease_until_local_ms.store(0, Ordering::Release);
    }

    /// Adds what the call itself did not give.
    pub(crate) fn complete(&self, arguments: &mut Arguments<'_>, uid: &str, version: String, budget: Duration) {
        let own = [
            (Argument::Uid, uid.to_owned()),
            (Argument::Node, self.node.to_string()),
            (Argument::Incarnation, self.incarnation().to_string()),
            (Argument::NotAfter, self.not_after(budget).to_string()),
            (Argument::ChannelPrefix, CHANNEL_PREFIX.to_owned()),
            (Argument::Channel, SCRIPTS_CHANNEL.to_owned()),
            (Argument::Version, version),
        ];
        for (argument, value) in own.into_iter().chain(self.settings.iter().cloned()) {
            if arguments.get(argument).is_none() {
                arguments.set(argument, value);
            }
        }
    }
}

/// The settings that scripts are told.
fn settings(config: &Config) -> Vec<(Argument, String)> {
    vec![
        (Argument::Policy, config.seat.policy.to_string()),
        (Argument::IntervalMs, config.heartbeat.interval_ms.to_string()),
        (Argument::LimitMs, config.heartbeat.limit_ms.to_string()),
        (Argument::TtlMs, config.ticket.ttl_ms.to_string()),
        (Argument::TrailMax, config.seat.trail_max.to_string()),
        (Argument::Welcome, config.login.welcome.clone()),
        (Argument::BodyMax, config.gateway.frame_bytes_max.to_string()),
        (Argument::FriendsMax, config.friends.max.to_string()),
        (Argument::AppliesMax, config.friends.applies_max.to_string()),
        (Argument::AppliesPerDay, config.friends.applies_per_day.to_string()),
        (Argument::Senders, config.text.senders.as_str().to_owned()),
        (Argument::TextMax, config.text.bytes_max.to_string()),
        (Argument::DedupMs, config.text.dedup_ms.to_string()),
        (Argument::InboxMax, config.inbox.count_max.to_string()),
        (Argument::InboxBytesMax, config.inbox.bytes_max.to_string()),
        (Argument::InboxTtlMs, config.inbox.ttl_ms.to_string()),
        (Argument::InboxFull, config.inbox.full.as_str().to_owned()),
        (Argument::GraceMs, config.presence.grace_ms.to_string()),
        (Argument::EventsMax, config.events.max.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Standing {
        Standing::new(Name::parse("n1").expect("a plain name"), Vec::new())
    }

    #[test]
    fn a_call_is_never_good_past_the_lease() {
        let standing = standing();
        standing.set_lease(1_000_000, 1_002_000, standing.local_ms());
        assert_eq!(standing.not_after(Duration::from_secs(60)), 1_001_800, "less the margin for other clocks");
        assert!(standing.not_after(Duration::from_millis(500)) <= 1_000_500 + standing.local_ms());
    }

    #[test]
    fn without_a_lease_every_claim_is_too_late() {
        let standing = standing();
        assert!(!standing.has_lease());
        assert_eq!(standing.not_after(Duration::from_secs(60)), 0);
        standing.set_lease(5, 10_000, standing.local_ms());
        assert!(standing.has_lease());
        standing.drop_lease();
        assert!(!standing.has_lease());
    }
}
