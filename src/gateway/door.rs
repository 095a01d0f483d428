//! Whether this node lets newcomers in, and how those are sent away who have to go elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;

use super::Gateway;
use crate::id::Sid;
use crate::reason::Reason;
use crate::wire::body::{goodbye, goodbye_elsewhere, refusal_elsewhere, try_again};
use crate::wire::message;

/// Milliseconds after which a newcomer may be let in whose node is not sure of its own sessions yet.
const SUSPENDED_MS: u64 = 500;
/// Milliseconds that a newcomer is asked to wait before it dials another node, or asks for one.
const ELSEWHERE_MS: u64 = 100;

/// What newcomers meet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Door {
    #[default]
    Open,
    /// The node is being emptied: they are told another one, where one is known.
    Drained { elsewhere: Option<String> },
}

/// The door, and the times when it is shut for a moment.
#[derive(Debug, Default)]
pub(super) struct Entrance {
    door: ArcSwap<Door>,
    /// How often the node was taken for dead, or forgotten.
    suspensions: AtomicU64,
    /// After which of these its sessions were held against the seats.
    resumed: AtomicU64,
}

impl Entrance {
    /// Whether the directory did not know the node, and its sessions were not held against the seats since.
    fn is_suspended(&self) -> bool {
        self.resumed.load(Ordering::Acquire) < self.suspensions.load(Ordering::Acquire)
    }

    /// The answer to a login that must not be asked of the store now.
    pub fn refusal(&self) -> Option<Bytes> {
        if self.is_suspended() {
            return Some(try_again(message::LOGIN_REPLY, SUSPENDED_MS));
        }
        match &**self.door.load() {
            Door::Open => None,
            Door::Drained { elsewhere } => {
                Some(refusal_elsewhere(message::LOGIN_REPLY, Reason::Drained, ELSEWHERE_MS, elsewhere.as_deref()))
            }
        }
    }
}

impl Gateway {
    /// What newcomers meet from now on.
    pub fn set_door(&self, door: Door) {
        self.entrance.door.store(door.into());
    }

    /// The node is not known to the directory: no login is answered until [`Gateway::resume`].
    pub fn suspend(&self) {
        self.entrance.suspensions.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether no login is answered now.
    pub fn is_suspended(&self) -> bool {
        self.entrance.is_suspended()
    }

    /// How often the node was suspended. Asked before a verify begins, whose end may resume it.
    pub fn suspensions(&self) -> u64 {
        self.entrance.suspensions.load(Ordering::Acquire)
    }

    /// The sessions were held against the seats after so many suspensions.
    pub fn resume(&self, suspensions: u64) {
        self.entrance.resumed.fetch_max(suspensions, Ordering::AcqRel);
    }

    /// Every session's id at about this moment.
    pub fn sids(&self) -> Vec<Sid> {
        self.sessions().into_iter().map(|session| session.sid).collect()
    }

    /// Says goodbye to a session that goes on elsewhere: on that node where one is known, after this time.
    pub fn send_elsewhere(&self, sid: Sid, node: Option<&str>, retry_after_ms: u64) {
        if let Some(handle) = self.map.get(sid) {
            handle.close(Reason::Drained, goodbye_elsewhere(Reason::Drained, retry_after_ms, node));
        }
    }

    /// Says goodbye to every session. Answers to how many.
    pub fn close_sessions(&self, reason: Reason) -> usize {
        let handles = self.map.handles().into_iter().filter(|handle| handle.uid().is_some());
        handles.filter(|handle| handle.close(reason, goodbye(reason))).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_is_shut_until_the_last_suspension_is_over() {
        let entrance = Entrance::default();
        assert!(entrance.refusal().is_none());
        entrance.suspensions.store(2, Ordering::Release);
        entrance.resumed.store(1, Ordering::Release);
        assert!(entrance.refusal().is_some());
        entrance.resumed.store(2, Ordering::Release);
        assert!(entrance.refusal().is_none());
    }

    #[test]
    fn a_drained_node_names_another() {
        let entrance = Entrance::default();
        entrance.door.store(Door::Drained { elsewhere: Some("b:1".to_owned()) }.into());
        let frame = entrance.refusal().expect("it lets nobody in");
        assert_eq!(&frame[4..], br#"{"error":1101,"reason":"drained","retry_after_ms":100,"node":"b:1"}"#);
    }
}
