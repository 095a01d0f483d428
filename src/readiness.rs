//! What has to be true before this node may be sent newcomers, each kept by the part that knows it.
//!
//! Lock-free: the health endpoint reads it as often as a load balancer asks.

use std::sync::atomic::{AtomicBool, Ordering};

/// One thing that has to be true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Condition {
    /// The store answers.
    Redis = 0,
    /// The scripts are loaded there.
    Scripts = 1,
    /// The node is in the directory, its lease runs, and its sessions were held against the seats since it registered.
    Node = 2,
    /// The node is subscribed to its channel.
    Channel = 3,
    /// The node accepts clients and does not stop.
    Gateway = 4,
}

impl Condition {
    /// Every condition, in the order in which a start meets them.
    pub const ALL: [Condition; 5] =
        [Condition::Redis, Condition::Scripts, Condition::Node, Condition::Channel, Condition::Gateway];

    /// The word in the answer of `/readyz`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Condition::Redis => "redis",
            Condition::Scripts => "scripts",
            Condition::Node => "node",
            Condition::Channel => "channel",
            Condition::Gateway => "gateway",
        }
    }

    /// What it means that it is missing.
    pub const fn missing(self) -> &'static str {
        match self {
            Condition::Redis => "the store does not answer",
            Condition::Scripts => "the fleet's script versions are not loaded",
            Condition::Node => {
                "the node is not registered, its lease ran out, or its sessions are being held against the seats"
            }
            Condition::Channel => "the node is not subscribed to its channel",
            Condition::Gateway => "clients are not accepted",
        }
    }
}

/// Which conditions are met. All start as missing.
#[derive(Debug, Default)]
pub struct Readiness {
    met: [AtomicBool; Condition::ALL.len()],
}

impl Readiness {
    /// Nothing is met yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether a condition is met now. Returns whether that is news.
    pub fn set(&self, condition: Condition, met: bool) -> bool {
        self.met[condition as usize].swap(met, Ordering::Relaxed) != met
    }

    /// Whether a condition is met.
    pub fn is_met(&self, condition: Condition) -> bool {
        self.met[condition as usize].load(Ordering::Relaxed)
    }

    /// What is missing; empty when the node is ready.
    pub fn missing(&self) -> Vec<Condition> {
        Condition::ALL.into_iter().filter(|condition| !self.is_met(*condition)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_when_nothing_is_missing() {
        let readiness = Readiness::new();
        assert_eq!(readiness.missing(), Condition::ALL);
        for condition in Condition::ALL {
            assert!(readiness.set(condition, true));
            assert!(!readiness.set(condition, true), "setting it again is no news");
        }
        assert!(readiness.missing().is_empty());
        readiness.set(Condition::Channel, false);
        assert_eq!(readiness.missing(), [Condition::Channel]);
    }
}
