//! A primary, its replica, and three sentinels that agree on who is which, with times short enough for a test.

use serde_json::Value;

use super::instance::Instance;
use super::wait::wait_until;

/// Name of the primary among the sentinels.
const SERVICE: &str = "main";
const SENTINELS: usize = 3;
/// The sentinels' own rhythms, which no configuration file sets. A machine that stalls must not make them distrust
/// their clocks. What they know of a replica is good for five pings, which has to be more than the second between two
/// looks. Four times the period of publishing has to be longer than a planned change takes to be noticed, or one sentinel
/// undoes what another has begun.
const RHYTHMS: [(&str, &str); 7] = [
    ("INFO-PERIOD", "300"),
    ("PING-PERIOD", "500"),
    ("ASK-PERIOD", "100"),
    ("PUBLISH-PERIOD", "600"),
    ("ELECTION-TIMEOUT", "2000"),
    ("TILT-TRIGGER", "20000"),
    ("TILT-PERIOD", "1000"),
];

/// Two stores under three sentinels. All of them end with the test.
pub struct Sentinels {
    stores: Vec<Instance>,
    sentinels: Vec<Instance>,
}

impl Sentinels {
    /// Starts all, and waits until the replica follows and the sentinels know each other.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`Sentinels::start`], with further options for both stores.
    pub fn start_with(options: &[&str]) -> Self {
        let primary = Instance::start(options);
        let port = primary.port().to_string();
        let replica = Instance::start(&[&["--replicaof", "127.0.0.1", &port], options].concat());
        let sentinels = launch_sentinels(&primary, &replica);
        let started = Self { stores: vec![primary, replica], sentinels };
        wait_until("the replica follows", || {
            let link = started.stores[1].info("replication", "master_link_status");
            (link.as_deref() == Some("up")).then_some(())
        });
        for sentinel in &started.sentinels {
            wait_until("the sentinel knows the others", || {
                (known(sentinel, "SENTINELS") == SENTINELS - 1).then_some(())
            });
            wait_until("the sentinel knows the replica", || (known(sentinel, "REPLICAS") == 1).then_some(()));
        }
        started
    }

    /// What `redis.url` has to say: every sentinel by name.
    pub fn url(&self) -> String {
        let nodes: String =
            self.sentinels[1..].iter().map(|sentinel| format!("&node={}", sentinel.address())).collect();
        format!("redis-sentinel://{}?sentinelServiceName={SERVICE}{nodes}", self.sentinels[0].address())
    }

    /// Which of the two stores the first sentinel calls the primary: 0 or 1.
    pub fn primary(&self) -> usize {
        self.primary_by(&self.sentinels[0])
    }

    fn primary_by(&self, sentinel: &Instance) -> usize {
        let answer = sentinel.look().run(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]);
        let port = answer[1].as_str().expect("a port as text").to_owned();
        self.stores.iter().position(|store| store.port().to_string() == port).expect("it is one of ours")
    }

    /// One of the two stores.
    pub fn store(&self, index: usize) -> &Instance {
        &self.stores[index]
    }

    /// One of the two stores, to be killed or started again.
    pub fn store_mut(&mut self, index: usize) -> &mut Instance {
        &mut self.stores[index]
    }

    /// One of the three sentinels.
    pub fn sentinel(&self, index: usize) -> &Instance {
        &self.sentinels[index]
    }

    /// Kills the primary without a warning; answers which store it was.
    pub fn kill_primary(&mut self) -> usize {
        let index = self.primary();
        self.stores[index].kill();
        index
    }

    /// Waits until the sentinels have made the other store the primary, and it takes writes.
    pub fn wait_failover(&self, from: usize) {
        let to = 1 - from;
        wait_until("the sentinels have chosen another primary", || {
            self.sentinels.iter().all(|sentinel| self.primary_by(sentinel) == to).then_some(())
        });
        wait_until("the other store is a primary", || {
            (self.stores[to].info("replication", "role")? == "master").then_some(())
        });
    }

    /// Starts a store that was killed, and waits until the sentinels have made it a replica that has caught up.
    pub fn start_again(&mut self, index: usize) {
        self.stores[index].start_again();
        wait_until("the store that came back follows", || {
            let replica = &self.stores[index];
            let follows = replica.info("replication", "role")? == "slave";
            (follows && replica.info("replication", "master_link_status")? == "up").then_some(())
        });
    }

    /// A planned change of the primary, which loses nothing. It is asked for until it happens: a sentinel that has not
    /// heard of the last change yet may undo it.
    pub fn fail_over(&self) {
        let from = self.primary();
        wait_until("the sentinels have changed the primary as asked", || {
            let _ = self.sentinels[0].look().try_run(&["SENTINEL", "FAILOVER", SERVICE]);
            (self.primary() != from).then_some(())
        });
        self.wait_failover(from);
    }
}

/// The sentinels are told of each other, which saves the seconds in which they would find out.
fn launch_sentinels(primary: &Instance, replica: &Instance) -> Vec<Instance> {
    let mut known = String::new();
    let mut sentinels = Vec::new();
    for number in 1..=SENTINELS {
        let id = format!("{number:040}");
        let sentinel = Instance::try_ports(|port| {
            let own = format!(
                "sentinel myid {id}\nsentinel monitor {SERVICE} 127.0.0.1 {} 2\n\
                 sentinel down-after-milliseconds {SERVICE} 1000\nsentinel failover-timeout {SERVICE} 3000\n\
                 sentinel known-replica {SERVICE} 127.0.0.1 {}\n{known}",
                primary.port(),
                replica.port(),
            );
            Instance::start_sentinel(port, &own)
        });
        known += &format!("sentinel known-sentinel {SERVICE} 127.0.0.1 {} {id}\n", sentinel.port());
        for (name, value) in RHYTHMS {
            sentinel.look().run(&["SENTINEL", "DEBUG", name, value]);
        }
        sentinels.push(sentinel);
    }
    sentinels
}

/// How many others of a kind a sentinel knows and can reach.
fn known(sentinel: &Instance, kind: &str) -> usize {
    let listing = sentinel.look().run(&["SENTINEL", kind, SERVICE]);
    let is_well = |entry: &&Value| !["_down", "disconnected"].iter().any(|flag| entry.to_string().contains(flag));
    listing.as_array().map_or(0, |entries| entries.iter().filter(is_well).count())
}
