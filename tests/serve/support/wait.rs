//! Waiting by condition: look, and look again, up to a bound that only a broken server reaches.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long anything may take before the test fails. Far beyond what a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two looks, so that looking does not starve what is waited for.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something to see.
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Milliseconds of the wall clock, which this machine's stores go by too.
pub fn clock_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::try_from(since.as_millis()).expect("milliseconds fit for ages")
}
