//! Runs the clock of silence: looks at the sessions that the wheel names, and closes the silent ones.

use std::sync::{PoisonError, Weak};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Gateway;
use crate::id::Sid;
use crate::session::wheel::TICK_MS;
use crate::session::{Handle, Look};
use crate::wire::body::goodbye;

/// Looks in a row before others have their turn on this thread.
const LOOKS_PER_TURN: usize = 1_024;
/// A tick that comes this late says that this process slept: then its clients were not silent, it was deaf.
const NAP_MS: u64 = 1_000;

/// Looks until the gateway is gone.
pub(super) async fn run(gateway: Weak<Gateway>) {
    let mut ticks = interval(Duration::from_millis(TICK_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut last_ms = None;
    loop {
        ticks.tick().await;
        let Some(gateway) = gateway.upgrade() else { return };
        let now_ms = gateway.now_ms();
        let has_slept = last_ms.replace(now_ms).is_some_and(|last_ms| now_ms - last_ms > TICK_MS + NAP_MS);
        let due = gateway.wheel().advance(now_ms);
        for sids in due.chunks(LOOKS_PER_TURN) {
            match has_slept {
                true => gateway.look_later(sids, now_ms),
                false => gateway.look(sids, now_ms),
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Gateway {
    /// Puts a connection that was just accepted under the clock.
    pub(super) fn watch_over(&self, handle: &Handle) {
        if let Look::Again { at_ms } = handle.look(self.now_ms(), self.options.patience) {
            self.wheel().schedule(handle.sid(), at_ms);
        }
    }

    fn look(&self, sids: &[Sid], now_ms: u64) {
        for handle in sids.iter().filter_map(|sid| self.map.get(*sid)) {
            match handle.look(now_ms, self.options.patience) {
                Look::Done => {}
                Look::Again { at_ms } => self.wheel().schedule(handle.sid(), at_ms),
                Look::Over(reason) => {
                    handle.close(reason, goodbye(reason));
                }
            }
        }
    }

    /// What clients sent meanwhile lies unread in their sockets: it is read before anybody is called silent.
    fn look_later(&self, sids: &[Sid], now_ms: u64) {
        let mut wheel = self.wheel();
        sids.iter().for_each(|sid| wheel.schedule(*sid, now_ms + NAP_MS));
    }

    fn wheel(&self) -> std::sync::MutexGuard<'_, crate::session::Wheel> {
        self.wheel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
