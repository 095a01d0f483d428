//! Nodes whose clocks are wrong: leases go by the store's clock and by what a node's monotonic clock says of its own.
//!
//! libfaketime (Debian's package of that name) sits between the node and its C library and shifts the clock of the
//! wall, and that alone: a monotonic clock cannot be wrong by ten minutes, it has no zero to be compared with.

use std::path::PathBuf;
use std::time::Duration;

use crate::crowd::Habit;
use crate::stand::{Fleet, VERIFY, healthy, long, node, seed};
use crate::support::{RedisServer, clock_ms};

/// How far the clock of each node is off, in seconds.
const SHIFTS_S: [i64; 3] = [600, -600, 0];

const LOAD: Habit = Habit {
    users: 60,
    devices: 2,
    beat: Duration::from_millis(100),
    pause: Duration::from_millis(600),
    stay: Duration::from_millis(1_500),
    falls_silent: true,
};

/// Where Debian puts it, on whichever processor.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a Linux system").filter_map(Result::ok);
    let mut places = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    places.find(|place| place.exists()).expect("libfaketime is installed; tests/run.sh does it")
}

#[test]
fn clocks_that_are_ten_minutes_apart_change_nothing() {
    let (seed, redis, library) = (seed(), RedisServer::start(), library());
    let library = library.to_str().expect("a plain path");
    let setups = SHIFTS_S.iter().enumerate().map(|(position, seconds)| {
        node(&redis.url(), position, VERIFY)
            .variable("LD_PRELOAD", library)
            .variable("FAKETIME", &format!("{seconds:+}s"))
            .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    });
    let mut fleet = Fleet::start(vec![redis.socket()], setups.collect());
    let crowd = fleet.crowd(LOAD, seed);
    for turn in 0..long(2) {
        crowd.wait_sessions(100);
        // The others find out that it is dead by the store's clock.
        fleet.kill(turn % 3);
        fleet.wait_lease_out(turn % 3);
        crowd.wait_sessions(60);
        fleet.start_again(turn % 3);
    }
    crowd.wait_sessions(60);
    fleet.settle(crowd, healthy());
    the_clocks_were_wrong(&fleet, clock_ms());
}

/// Whether the shift worked shows in the session ids: each begins with the milliseconds of its node's clock.
fn the_clocks_were_wrong(fleet: &Fleet, now_ms: u64) {
    let (history, age) = (fleet.record.read(), fleet.record.now());
    for (position, seconds) in SHIFTS_S.into_iter().enumerate() {
        let sessions = history.lives.iter().filter(|life| life.node == position && life.session().is_some());
        let shifts: Vec<i64> = sessions
            .map(|life| {
                let asked_ms = now_ms - u64::try_from((age - life.asked).as_millis()).expect("a test takes minutes");
                (made_ms(&life.session().expect("it has one").sid).cast_signed() - asked_ms.cast_signed()) / 1_000
            })
            .collect();
        let is_right = |shift: &i64| (shift - seconds).abs() < 60;
        assert!(!shifts.is_empty() && shifts.iter().all(is_right), "node {position}, wanted {seconds} s: {shifts:?}");
    }
}

/// When a session id was made, by the clock of whoever made it.
fn made_ms(sid: &str) -> u64 {
    let digits: String = sid.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    u64::from_str_radix(&digits, 16).expect("a session id is hexadecimal")
}
