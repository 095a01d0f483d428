//! What the stores themselves hold, read with plain commands from every primary, whatever the servers say of it.

use std::collections::BTreeMap;

use crate::support::cluster::Cluster;
use crate::support::instance::Instance;
use crate::support::sentinel::Sentinels;
use crate::support::{Server, Setup, wait_until};

/// A store of several processes.
pub trait Store {
    /// What `redis.url` has to say.
    fn url(&self) -> String;

    /// The processes that take writes now.
    fn primaries(&self) -> Vec<&Instance>;

    /// A node on this store, with times that a test can wait for.
    fn node(&self, name: &str) -> Server {
        self.setup(name).start()
    }

    /// As [`Store::node`], not started yet.
    fn setup(&self, name: &str) -> Setup {
        Setup::at(&self.url())
            .set("node.name", name)
            .set("node.beat_ms", 300)
            .set("node.lease_ms", 3000)
            .set("node.verify_ms", 1000)
            .set("redis.timeout_ms", 2000)
    }

    /// Every session in every roster, as user and sid, with the node that has it.
    fn sessions(&self) -> BTreeMap<(u64, String), String> {
        self.primaries().into_iter().flat_map(entries).map(|entry| parse(&entry)).collect()
    }

    /// How many rosters there are: shards with a session in them.
    fn rosters(&self) -> usize {
        self.primaries().into_iter().map(|primary| rosters(primary).len()).sum()
    }

    /// Waits until the rosters hold these sessions and no others, and the directory counts as many for each node.
    fn wait_exact(&self, live: &BTreeMap<(u64, String), String>, by: &Server) {
        wait_until("rosters and counts are those of the live clients", || {
            if self.sessions() != *live {
                return None;
            }
            let counts_fit = ["t1", "t2"].iter().all(|name| {
                let count = live.values().filter(|node| node == name).count() as u64;
                by.admin.node(name).is_none_or(|node| node["count"] == count)
            });
            counts_fit.then_some(())
        });
    }
}

impl Store for Sentinels {
    fn url(&self) -> String {
        Sentinels::url(self)
    }

    fn primaries(&self) -> Vec<&Instance> {
        vec![self.store(self.primary())]
    }
}

impl Store for Cluster {
    fn url(&self) -> String {
        Cluster::url(self)
    }

    fn primaries(&self) -> Vec<&Instance> {
        Cluster::primaries(self).into_iter().map(|index| self.member(index)).collect()
    }
}

fn rosters(primary: &Instance) -> Vec<String> {
    primary.look().texts(&["KEYS", "os:{*}:roster"])
}

fn entries(primary: &Instance) -> Vec<String> {
    let mut look = primary.look();
    rosters(primary).iter().flat_map(|key| look.texts(&["ZRANGE", key, "0", "-1"])).collect()
}

/// `node#incarnation|uid|class|sid`
fn parse(entry: &str) -> ((u64, String), String) {
    let parts: Vec<&str> = entry.split('|').collect();
    let node = parts[0].split('#').next().unwrap_or_default();
    ((parts[1].parse().expect("tests use numbers"), parts[3].to_owned()), node.to_owned())
}
