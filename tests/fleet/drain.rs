//! A node is emptied under load: its clients are sent away and sit elsewhere, nobody else notices.

use std::time::Duration;

use serde_json::json;

use crate::crowd::Habit;
use crate::history::{Life, What};
use crate::stand::{Fleet, VERIFY, healthy, long, node, seed};
use crate::support::{RedisServer, wait_until};

const LOAD: Habit = Habit {
    users: 80,
    devices: 2,
    beat: Duration::from_millis(100),
    pause: Duration::from_millis(600),
    stay: Duration::from_millis(4_000),
    falls_silent: false,
};

#[test]
fn a_drained_node_is_empty_and_its_clients_sit_elsewhere() {
    let (seed, redis) = (seed(), RedisServer::start());
    let setups = (0..3).map(|position| node(&redis.url(), position, VERIFY)).collect();
    let fleet = Fleet::start(vec![redis.socket()], setups);
    let crowd = fleet.crowd(LOAD, seed);
    for turn in 0..long(2) {
        let (drained, other) = (turn % 3, (turn + 1) % 3);
        crowd.wait_sessions(100);
        let path = format!("/v1/nodes/t{}/drain", drained + 1);
        let fault = fleet.record.break_off(Some(drained), What::Goodbye("drained"));
        let (status, answer) = fleet.node(other).admin.post(&path, &json!({ "over_ms": 800 }));
        assert_eq!(status, 200, "{answer}");
        let is_here = |life: &&Life| life.node == drained && life.is_live();
        wait_until("the node is empty", || {
            fleet.record.with(|history| history.lives.iter().find(is_here).is_none().then_some(()))
        });
        crowd.wait_sessions(60);
        fleet.record.with(|history| assert!(history.lives.iter().find(is_here).is_none(), "somebody came back"));
        let url = format!("http://{}{path}", fleet.board.place(other).admin);
        ureq::delete(url).call().expect("the drain ends");
        let from = fleet.record.now();
        let is_back = |life: &&Life| is_here(life) && life.asked > from;
        wait_until("newcomers are taken again", || {
            fleet.record.with(|history| history.lives.iter().find(is_back).map(|_| ()))
        });
        fleet.record.mend(fault);
    }
    fleet.settle(crowd, healthy());
    let told = fleet.record.with(|history| {
        history.lives.iter().flat_map(|life| &life.notices).filter(|notice| notice.reason == "drained").count()
    });
    assert!(told > long(10), "{told} were sent away");
}
