//! Nodes that are killed, crash halfway through a login, or stand still for longer than their lease.

use std::sync::Arc;
use std::time::Duration;

use oneseat::fault::Point;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::checker;
use crate::crowd::Habit;
use crate::device::{Device, Leaving};
use crate::history::{History, Life, What};
use crate::stand::{Fleet, VERIFY, healthy, long, node, seed};
use crate::support::{RedisServer, wait_until};

const LOAD: Habit = Habit {
    users: 60,
    devices: 2,
    beat: Duration::from_millis(100),
    pause: Duration::from_millis(600),
    stay: Duration::from_millis(1_500),
    falls_silent: false,
};

#[test]
fn a_node_that_is_killed_and_comes_back_under_its_name_leaves_nothing_behind() {
    let (seed, redis) = (seed(), RedisServer::start());
    let mut fleet = Fleet::on(&redis, 3, VERIFY);
    let crowd = fleet.crowd(LOAD, seed);
    for turn in 0..long(3) {
        crowd.wait_sessions(100);
        fleet.kill(turn % 3);
        crowd.wait_sessions(40);
        fleet.start_again(turn % 3);
    }
    crowd.wait_sessions(100);
    fleet.settle(crowd, healthy());
}

#[test]
fn what_a_node_that_stays_dead_held_is_reaped_by_others() {
    let (seed, redis) = (seed(), RedisServer::start());
    let mut fleet = Fleet::on(&redis, 3, VERIFY);
    let crowd = fleet.crowd(LOAD, seed);
    crowd.wait_sessions(200);
    crowd.rest();
    fleet.kill(1);
    fleet.settle(crowd, healthy());
}

#[test]
fn a_node_that_stands_still_for_longer_than_its_lease_serves_no_displaced_session_when_it_goes_on() {
    let (seed, redis) = (seed(), RedisServer::start());
    let fleet = Fleet::on(&redis, 3, VERIFY);
    let crowd = fleet.crowd(LOAD, seed);
    crowd.wait_sessions(100);
    for turn in 0..long(2) {
        let pause = fleet.pause(turn % 3);
        fleet.wait_lease_out(turn % 3);
        crowd.wait_sessions(60);
        fleet.resume(turn % 3, pause);
        crowd.wait_sessions(100);
    }
    fleet.settle(crowd, healthy());
}

/// It was the node that was silent: what its clients said waits in its sockets, and counts.
#[test]
fn clients_of_a_node_that_stood_still_are_not_taken_for_silent() {
    let (seed, redis) = (seed(), RedisServer::start());
    let fleet = Fleet::on(&redis, 2, VERIFY);
    let many =
        Habit { users: 800, devices: 1, beat: Duration::from_millis(400), stay: Duration::from_secs(60), ..LOAD };
    let crowd = fleet.crowd(many, seed);
    crowd.wait_sessions(600);
    crowd.rest();
    fleet.wait_rest();
    let live = |history: &mut History| -> Vec<Life> {
        history.lives.iter().filter(|life| life.node == 0 && life.is_live()).cloned().collect()
    };
    let before = fleet.record.with(live);
    let pause = fleet.pause(0);
    let end = fleet.record.now() + 2 * healthy().silence;
    wait_until("the clients have spoken in vain for longer than the limit", || {
        (fleet.record.now() > end).then_some(())
    });
    fleet.resume(0, pause);
    fleet.wait_ready();
    fleet.wait_rest();
    let after = fleet.record.with(live);
    assert!(!before.is_empty() && before.len() == after.len(), "of {} sessions {} are left", before.len(), after.len());
    fleet.settle(crowd, healthy());
}

/// A client of the first node, which crashes halfway through its login, comes back to the second one with its ticket.
fn crash_at(point: Point) {
    let redis = RedisServer::start();
    let crashing = node(&redis.url(), 0, VERIFY).variable("ONESEAT_FAULT", point.word());
    let mut fleet = Fleet::start(vec![redis.socket()], vec![crashing, node(&redis.url(), 1, VERIFY)]);
    let runtime = Runtime::new().expect("a runtime");
    let uid = 1001;
    let token = |fleet: &Fleet| fleet.board.token(1, uid).expect("the second node gives tickets");

    let older = enter(&runtime, &fleet, 1, token(&fleet));
    wait_until("somebody holds the seat", || (fleet.record.sessions() == 1).then_some(()));
    let ticket = token(&fleet);
    let fault = fleet.record.break_off(Some(0), What::Death);
    let crashed = enter(&runtime, &fleet, 0, ticket.clone());
    fleet.wait_crash(0, fault);
    runtime.block_on(crashed).expect("the client lives");
    let newer = enter(&runtime, &fleet, 1, ticket);
    wait_until("the same ticket holds the seat", || (fleet.record.sessions() == 2).then_some(()));
    runtime.block_on(older).expect("the client lives");
    fleet.wait_rest();

    let history = fleet.record.read();
    let [displaced, lost, back] = &history.lives[..] else { panic!("three logins: {history:?}") };
    let reasons: Vec<&str> = displaced.notices.iter().map(|notice| notice.reason.as_str()).collect();
    assert_eq!(reasons, ["displaced"], "{}", checker::tell(displaced));
    assert_eq!(lost.answer, None, "the answer was not to be written: {}", checker::tell(lost));
    // Only a login that never reached the store is a takeover when it is made again.
    let is_resume = back.session().is_some_and(|answer| answer.resumed);
    assert_eq!(is_resume, point != Point::BeforeScript, "{}", checker::tell(back));
    assert!(back.is_live(), "{}", checker::tell(back));
    newer.abort();
    fleet.judge(checker::check(&history, healthy()));
}

fn enter(runtime: &Runtime, fleet: &Fleet, node: usize, token: String) -> JoinHandle<()> {
    let (record, address) = (Arc::clone(&fleet.record), fleet.board.place(node).clients);
    runtime.spawn(async move {
        let mut device = Device::dial(&record, 1001, node, address, &token).await.expect("the node listens");
        if device.log_in().await == Some(0) {
            device.live(Duration::from_millis(20), None, Leaving::Stays).await;
        }
    })
}

#[test]
fn a_crash_before_the_script_is_sent_is_harmless() {
    crash_at(Point::BeforeScript);
}

#[test]
fn a_crash_after_the_script_ran_is_harmless() {
    crash_at(Point::AfterScript);
}

#[test]
fn a_crash_after_the_bind_is_harmless() {
    crash_at(Point::AfterBind);
}

#[test]
fn a_crash_after_the_answer_was_queued_is_harmless() {
    crash_at(Point::AfterReply);
}

#[test]
fn a_crash_after_the_kick_is_harmless() {
    crash_at(Point::AfterKick);
}

#[test]
fn a_crash_before_the_answer_is_written_is_harmless() {
    crash_at(Point::BeforeWrite);
}

/// Every login may be the one that ends the node, which comes back each time and crashes again.
#[test]
fn a_node_that_crashes_again_and_again_in_its_logins_harms_nobody() {
    let (seed, redis) = (seed(), RedisServer::start());
    let setups = (0..3).map(|position| {
        let word = Point::ALL[1 + (position + seed as usize) % (Point::ALL.len() - 1)].word();
        node(&redis.url(), position, VERIFY).variable("ONESEAT_FAULT", &format!("{word}:{}", 30 + 10 * position))
    });
    let setups = setups.collect();
    let mut fleet = Fleet::start(vec![redis.socket()], setups);
    // A node may end at any moment from now on.
    let crowd = fleet.crowd(LOAD, seed);
    let mut faults: Vec<usize> = (0..3).map(|node| fleet.record.break_off(Some(node), What::Death)).collect();
    for turn in 0..long(6) {
        let position = turn % 3;
        fleet.wait_crash(position, faults[position]);
        fleet.start_again(position);
        faults[position] = fleet.record.break_off(Some(position), What::Death);
    }
    crowd.rest();
    fleet.revive();
    fleet.settle(crowd, healthy());
}
