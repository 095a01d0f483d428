//! Random walks through the session scripts, against a model in Rust: G1, G3, G4 and G12 hold after every step, and
//! G7 where the store forgets.
//!
//! `ONESEAT_SEED=N cargo test --test model` walks one seed only, which a failing run prints; `ONESEAT_STEPS` sets the
//! length of each walk.

mod dice;
mod seat;
mod step;
mod store;
mod walk;

use walk::Walk;

const SEEDS: u64 = 8;
const STEPS: usize = 1500;

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn random_walks_keep_the_guarantees() {
    let steps = setting("ONESEAT_STEPS").unwrap_or(STEPS);
    let seeds = setting("ONESEAT_SEED").map_or(1..=SEEDS, |seed| seed..=seed);
    for seed in seeds {
        Walk::new(seed).take(steps);
    }
}
