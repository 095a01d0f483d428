//! The clock of silence: a timing wheel that says which sessions to look at now.
//!
//! It holds sids, not timers. A frame that arrives costs it nothing; a session is looked at when its deadline could
//! first have passed and is then put in again for the deadline that it has by now. So a live session costs one look
//! per limit, however many live, and a session that left costs one look that finds nothing. Time is an argument.

use crate::id::Sid;

/// Milliseconds between two looks. A deadline is noticed at most this much late.
pub const TICK_MS: u64 = 250;
/// Ticks that the wheel spans. Later deadlines are looked at once per turn of the wheel on their way.
const SLOTS: u64 = 1_024;

/// The sids by the tick at which to look at them.
#[derive(Debug)]
pub struct Wheel {
    slots: Vec<Vec<Sid>>,
    /// The last tick that was handed out.
    tick: u64,
}

impl Default for Wheel {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), tick: 0 }
    }
}

impl Wheel {
    /// Asks for a look at a session, not before `at_ms` and at most a tick later, or when the wheel's span is over.
    pub fn schedule(&mut self, sid: Sid, at_ms: u64) {
        let tick = at_ms.div_ceil(TICK_MS).clamp(self.tick + 1, self.tick + SLOTS);
        self.slot(tick).push(sid);
    }

    /// The sessions to look at, now that it is `now_ms`. Memory of the ticks that passed is given back.
    pub fn advance(&mut self, now_ms: u64) -> Vec<Sid> {
        let now = now_ms / TICK_MS;
        let passed = now.saturating_sub(self.tick).min(SLOTS);
        let mut due = Vec::new();
        for tick in (now - passed + 1)..=now {
            due.append(&mut std::mem::take(self.slot(tick)));
        }
        self.tick = self.tick.max(now);
        due
    }

    fn slot(&mut self, tick: u64) -> &mut Vec<Sid> {
        &mut self.slots[(tick % SLOTS) as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_looked_at_early_or_a_tick_late() {
        for at_ms in [1, 249, 250, 251, 10_000, 60_001] {
            let (mut wheel, sid) = (Wheel::default(), Sid::new());
            wheel.schedule(sid, at_ms);
            let seen = (0..).map(|step| step * 50).find(|now_ms| wheel.advance(*now_ms) == [sid]).expect("it comes up");
            assert!((at_ms..=at_ms + TICK_MS).contains(&seen), "{at_ms} was seen at {seen}");
        }
    }

    #[test]
    fn a_deadline_beyond_the_span_is_looked_at_on_the_way() {
        let (mut wheel, sid) = (Wheel::default(), Sid::new());
        wheel.schedule(sid, 100 * SLOTS * TICK_MS);
        assert_eq!(wheel.advance(SLOTS * TICK_MS - 1), []);
        assert_eq!(wheel.advance(SLOTS * TICK_MS), [sid]);
    }

    #[test]
    fn a_deadline_that_has_passed_comes_up_at_the_next_tick() {
        let (mut wheel, sid) = (Wheel::default(), Sid::new());
        wheel.advance(10_000);
        wheel.schedule(sid, 3);
        assert_eq!(wheel.advance(10_000), []);
        assert_eq!(wheel.advance(10_000 + TICK_MS), [sid]);
    }

    proptest! {
        #[test]
        fn each_comes_up_exactly_once_however_time_jumps(
            deadlines in prop::collection::vec(0u64..600_000, 1..50),
            jumps in prop::collection::vec(0u64..400_000, 1..20),
        ) {
            let (mut wheel, mut now_ms) = (Wheel::default(), 0);
            for at_ms in &deadlines {
                wheel.schedule(Sid::new(), *at_ms);
            }
            let mut seen = Vec::new();
            for jump in jumps.into_iter().chain([600_000, 600_000]) {
                now_ms += jump;
                seen.extend(wheel.advance(now_ms));
            }
            let distinct: std::collections::HashSet<_> = seen.iter().collect();
            prop_assert_eq!((seen.len(), distinct.len()), (deadlines.len(), deadlines.len()));
        }
    }
}
