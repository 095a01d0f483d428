//! All that a caller in this process can see of an engine, at one moment: to come back to it, or to tell two apart.
//!
//! Scripts stay loaded whichever moment an engine goes back to, and what is connected stays connected: it is for
//! engines that one caller has to itself.

use super::clock::EngineClock;
use super::core::Core;
use super::digest;
use super::engine::Engine;
use super::keyspace::Snapshot;

/// A copy of the keys with their deadlines, the clock, the messages that were captured and not yet taken, and the
/// state of the random picks.
#[derive(Clone)]
pub struct Moment {
    keys: Snapshot,
    now_us: u64,
    published: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    random: u64,
}

impl Engine {
    /// A copy of the present moment.
    pub fn moment(&self) -> Moment {
        let core = self.core.borrow();
        Moment {
            keys: core.db.snapshot(),
            now_us: core.clock.now_us(),
            published: core.published.clone(),
            random: core.random,
        }
    }

    /// Goes back to a moment. A clock that is set by hand goes back with it; the machine's own cannot.
    pub fn return_to(&mut self, moment: &Moment) {
        let mut core = self.core.borrow_mut();
        core.db.restore(&moment.keys);
        core.published.clone_from(&moment.published);
        core.random = moment.random;
        if let EngineClock::Manual(cell) = &core.clock {
            cell.set(moment.now_us);
        }
        core.tick();
    }

    /// A digest of the present moment: keys, values and deadlines, the clock and the messages not yet taken. The state
    /// of random picks is no part of it.
    pub fn digest_of_moment(&mut self) -> u64 {
        let mut core = self.core.borrow_mut();
        core.tick();
        let Core { db, now_us, published, .. } = &*core;
        digest::hash_of(&(digest::of_keyspace(db), now_us, published))
    }
}
