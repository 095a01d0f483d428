//! The store restarts, forgets its data or its scripts, or is slow, while clients come and go.

use std::time::Duration;

use serde_json::json;

use crate::checker::Bounds;
use crate::crowd::Habit;
use crate::history::{Life, What};
use crate::proxy::Proxy;
use crate::stand::{Fleet, VERIFY, healthy, long, node, seed};
use crate::support::instance::Instance;
use crate::support::{RedisServer, wait_until};

const LOAD: Habit = Habit {
    users: 80,
    devices: 2,
    beat: Duration::from_millis(100),
    pause: Duration::from_millis(800),
    stay: Duration::from_millis(2_000),
    falls_silent: false,
};

/// What each direction of a slow way takes.
const SLOWNESS: Duration = Duration::from_millis(100);

/// What a store that may lose answers allows.
pub fn forgetful() -> Bounds {
    Bounds { may_forget: true, ..healthy() }
}

/// Kills a store under load and starts it again, several times; `before` is done to it a while before that.
fn restart(options: &[&str], before: impl Fn(&Instance), bounds: Bounds) {
    let (seed, mut redis) = (seed(), Instance::start(options));
    let url = format!("redis://{}", redis.address());
    let setups = (0..3).map(|position| node(&url, position, VERIFY)).collect();
    let fleet = Fleet::start(vec![redis.socket()], setups);
    let crowd = fleet.crowd(LOAD, seed);
    for _ in 0..long(2) {
        crowd.wait_sessions(60);
        before(&redis);
        crowd.wait_sessions(60);
        let outage = fleet.record.break_off(None, What::Deafness);
        redis.kill();
        redis.start_again();
        fleet.record.mend(outage);
        fleet.wait_ready();
        crowd.wait_sessions(50);
    }
    fleet.settle(crowd, bounds);
}

#[test]
fn a_store_that_restarts_with_its_data_costs_no_seat() {
    restart(&["--appendonly", "yes", "--appendfsync", "always"], |_| {}, healthy());
}

#[test]
fn a_store_that_lost_everything_is_put_right_by_the_live_sessions() {
    restart(&[], |_| {}, forgetful());
}

/// What a failover to a replica that lags behind comes to.
#[test]
fn a_store_that_falls_back_to_an_older_copy_is_put_right_by_the_live_sessions() {
    let copy = |redis: &Instance| {
        redis.look().run(&["SAVE"]);
    };
    restart(&[], copy, forgetful());
}

#[test]
fn forgotten_scripts_cost_no_login() {
    let (seed, redis) = (seed(), RedisServer::start());
    let setups = (0..3).map(|position| node(&redis.url(), position, Duration::from_secs(600))).collect();
    let fleet = Fleet::start(vec![redis.socket()], setups);
    let crowd = fleet.crowd(LOAD, seed);
    for _ in 0..long(15) {
        crowd.wait_sessions(20);
        redis.look().run(&["SCRIPT", "FLUSH"]);
    }
    fleet.settle(crowd, healthy());
    let history = fleet.record.read();
    let is_unlucky = |code: u64| matches!(code, 1100 | 1101);
    let unlucky =
        history.lives.iter().filter(|life| life.answer.as_ref().is_some_and(|answer| is_unlucky(answer.error)));
    assert_eq!(unlucky.count(), 0, "a login was not answered because of it");
}

#[test]
fn a_slow_store_makes_logins_slow_and_nothing_else() {
    let (seed, redis) = (seed(), RedisServer::start());
    let proxies: Vec<Proxy> = (0..3).map(|_| Proxy::start(redis.socket())).collect();
    let setups = proxies.iter().enumerate().map(|(position, proxy)| node(&proxy.url(), position, VERIFY)).collect();
    let fleet = Fleet::start(vec![redis.socket()], setups);
    proxies.iter().for_each(|proxy| proxy.delay(SLOWNESS));
    let crowd = fleet.crowd(LOAD, seed);
    crowd.wait_sessions(long(250));
    // A heartbeat asks nobody.
    let mut session = fleet.node(0).session(1);
    session.beat();
    let seen = session.reply["sid"].clone();
    let seat = wait_until("its seat is stored", || redis.look().try_run(&["HGET", "os:{0}:seat:1", "main:sid"]).ok());
    assert_eq!(json!(seat), seen);
    drop(session);
    fleet.settle(crowd, healthy());
    let took = |life: &Life| Some(life.session()?.at - life.asked);
    let fastest = fleet.record.with(|history| history.lives.iter().filter_map(took).min());
    assert!(fastest.is_some_and(|time| time >= 2 * SLOWNESS), "the store was not slow: {fastest:?}");
}
