//! Everything that can be broken, one after the other, in an order that only the seed knows.

use std::time::Duration;

use crate::crowd::{Crowd, Habit};
use crate::history::What;
use crate::proxy::{Proxy, Scope, Way};
use crate::stand::{Fleet, VERIFY, healthy, long, node, seed};
use crate::support::instance::Instance;
use crate::support::{Random, wait_until};

const NODES: usize = 4;
const LOAD: Habit = Habit {
    users: 60,
    devices: 3,
    beat: Duration::from_millis(100),
    pause: Duration::from_millis(900),
    stay: Duration::from_millis(2_500),
    falls_silent: true,
};

/// Longer than a call is waited for, and than a lease.
const FREEZE: Duration = Duration::from_millis(2_500);

/// What can be done to a fleet in one turn.
#[derive(Clone, Copy, Debug)]
enum Harm {
    /// A node is killed and comes back.
    Kill,
    /// A node stands still for longer than its lease.
    Pause,
    /// A node is cut off for longer than its lease.
    Cut,
    /// A direction of some connections of a node swallows everything.
    Hole(Scope, Way),
    /// A node's way to the store becomes slow.
    Slow,
    /// The store forgets its scripts.
    Flush,
    /// The store is killed and comes back with its data.
    Restart,
    /// The store stands still for longer than anybody waits, and then does late what it was asked meanwhile.
    Freeze,
}

impl Harm {
    fn choose(random: &mut Random) -> Self {
        let scope = [Scope::All, Scope::PubSub, Scope::Calls][random.below(3)];
        let way = [Way::ToStore, Way::FromStore][random.below(2)];
        let all = [
            Harm::Kill,
            Harm::Pause,
            Harm::Cut,
            Harm::Hole(scope, way),
            Harm::Hole(scope, way),
            Harm::Slow,
            Harm::Flush,
            Harm::Restart,
            Harm::Freeze,
        ];
        all[random.below(all.len())]
    }
}

/// What is broken and mended.
struct Ground<'a> {
    fleet: &'a mut Fleet,
    crowd: &'a Crowd,
    redis: &'a mut Instance,
    proxies: &'a [Proxy],
}

impl Ground<'_> {
    /// Breaks something on a node, lets some come in meanwhile, and mends it.
    fn suffer(&mut self, harm: Harm, node: usize) {
        match harm {
            Harm::Kill => {
                self.fleet.kill(node);
                self.crowd.wait_sessions(30);
                self.fleet.start_again(node);
            }
            Harm::Pause => {
                let pause = self.fleet.pause(node);
                self.fleet.wait_lease_out(node);
                self.fleet.resume(node, pause);
            }
            Harm::Cut => self.deafen(node, Proxy::cut),
            Harm::Hole(scope, way) => self.deafen(node, |proxy| proxy.black_hole(scope, way)),
            Harm::Slow => {
                self.proxies[node].delay(Duration::from_millis(60));
                self.crowd.wait_sessions(30);
                self.proxies[node].restore();
            }
            Harm::Flush => {
                self.redis.look().run(&["SCRIPT", "FLUSH"]);
            }
            Harm::Restart => {
                let outage = self.fleet.record.break_off(None, What::Deafness);
                self.redis.kill();
                self.redis.start_again();
                self.fleet.record.mend(outage);
            }
            Harm::Freeze => {
                let outage = self.fleet.record.break_off(None, What::Deafness);
                self.redis.pause();
                let end = self.fleet.record.now() + FREEZE;
                wait_until("every call has been given up", || (self.fleet.record.now() > end).then_some(()));
                self.redis.resume();
                self.fleet.record.mend(outage);
            }
        }
        self.fleet.wait_ready();
    }

    /// Breaks the way of a node to the store, and restores it.
    fn deafen(&self, node: usize, harm: impl Fn(&Proxy)) {
        let deafness = self.fleet.record.break_off(Some(node), What::Deafness);
        harm(&self.proxies[node]);
        self.crowd.wait_sessions(40);
        self.proxies[node].restore();
        self.fleet.record.mend(deafness);
    }
}

#[test]
fn whatever_breaks_in_whatever_order_the_guarantees_hold() {
    let seed = seed();
    let mut random = Random::new(seed << 1);
    let mut redis = Instance::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let proxies: Vec<Proxy> = (0..NODES).map(|_| Proxy::start(redis.socket())).collect();
    let setups = proxies
        .iter()
        .enumerate()
        .map(|(position, proxy)| node(&proxy.url(), position, VERIFY).set("redis.timeout_ms", 1_000));
    let mut fleet = Fleet::start(vec![redis.socket()], setups.collect());
    let crowd = fleet.crowd(LOAD, seed);
    for turn in 0..long(5) {
        crowd.wait_sessions(60);
        let (harm, node) = (Harm::choose(&mut random), random.below(NODES));
        println!("turn {turn}: {harm:?} on node {node}");
        Ground { fleet: &mut fleet, crowd: &crowd, redis: &mut redis, proxies: &proxies }.suffer(harm, node);
    }
    crowd.wait_sessions(60);
    fleet.settle(crowd, healthy());
}
