//! Takeovers without end, over all nodes, while nothing is broken.

use std::time::Duration;

use crate::crowd::Habit;
use crate::stand::{Fleet, healthy, long, seed};
use crate::support::RedisServer;

/// Verifies so rarely that only kicks end a displaced session.
const RARELY: Duration = Duration::from_secs(600);

#[test]
fn a_storm_on_one_seat_leaves_one_holder_and_tells_every_other() {
    let (seed, redis) = (seed(), RedisServer::start());
    let fleet = Fleet::on(&redis, 4, RARELY);
    let habit = Habit {
        users: 1,
        devices: 32,
        beat: Duration::from_millis(20),
        pause: Duration::from_millis(300),
        stay: Duration::from_millis(600),
        falls_silent: false,
    };
    let crowd = fleet.crowd(habit, seed);
    crowd.wait_sessions(long(500));
    let report = fleet.settle(crowd, healthy());
    assert!(report.told.len() > long(100), "the storm was a breeze: {} were displaced", report.told.len());
}

#[test]
fn a_storm_on_a_thousand_seats_leaves_each_to_one() {
    let (seed, redis) = (seed(), RedisServer::start());
    let fleet = Fleet::on(&redis, 3, RARELY);
    let habit = Habit {
        users: 1_000,
        devices: 2,
        beat: Duration::from_millis(400),
        pause: Duration::from_secs(6),
        stay: Duration::from_secs(8),
        falls_silent: true,
    };
    let crowd = fleet.crowd(habit, seed);
    crowd.wait_sessions(long(2_500));
    let report = fleet.settle(crowd, healthy());
    assert!(report.told.len() > long(200), "the storm was a breeze: {} were displaced", report.told.len());
}
