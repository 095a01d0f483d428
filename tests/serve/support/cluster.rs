//! A Redis Cluster: three primaries and their replicas, with times short enough for a test.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::instance::{Instance, free_port};
use super::wait::wait_until;

const PRIMARIES: usize = 3;
/// Milliseconds of silence after which a member is held for dead. A loaded machine is silent for a while, too.
const TIMEOUT_MS: &str = "1500";
/// Keys that move in one step of a migration.
const KEYS_PER_STEP: &str = "8";

/// Six members: the first three begin as primaries, each of the others as the replica of the one three before it.
pub struct Cluster {
    members: Vec<Instance>,
}

/// What one member says of another.
#[derive(Debug)]
struct Line {
    id: String,
    port: u16,
    is_primary: bool,
    is_failed: bool,
    has_slots: bool,
}

impl Cluster {
    /// Starts all, and waits until every slot is served and every replica follows.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`Cluster::start`], with further options for every member.
    pub fn start_with(options: &[&str]) -> Self {
        let cluster = Self { members: (0..2 * PRIMARIES).map(|_| start_member(options)).collect() };
        cluster.meet();
        cluster.give_slots();
        wait_until("every member knows all", || cluster.everywhere(|line| !line.is_failed));
        for index in PRIMARIES..2 * PRIMARIES {
            let primary = cluster.id(index - PRIMARIES);
            cluster.members[index].look().run(&["CLUSTER", "REPLICATE", &primary]);
        }
        cluster.wait_whole();
        cluster
    }

    /// What `redis.url` has to say: every member by name.
    pub fn url(&self) -> String {
        let nodes: Vec<String> = self.members[1..].iter().map(|member| format!("node={}", member.address())).collect();
        format!("redis-cluster://{}?{}", self.members[0].address(), nodes.join("&"))
    }

    /// One of the six members.
    pub fn member(&self, index: usize) -> &Instance {
        &self.members[index]
    }

    /// One of the six members, to be killed or started again.
    pub fn member_mut(&mut self, index: usize) -> &mut Instance {
        &mut self.members[index]
    }

    /// The members that are primaries now and live, by their own words.
    pub fn primaries(&self) -> Vec<usize> {
        (0..self.members.len()).filter(|index| is_primary(&self.members[*index])).collect()
    }

    /// The slot of a key.
    pub fn slot_of(&self, key: &str) -> u16 {
        let mut look = self.members.iter().find_map(Instance::try_look).expect("one member lives");
        let slot = look.run(&["CLUSTER", "KEYSLOT", key]).as_u64().expect("a number");
        u16::try_from(slot).expect("slots are below 16384")
    }

    /// The member that serves the slot of a key.
    pub fn primary_of(&self, key: &str) -> usize {
        let slot = u64::from(self.slot_of(key));
        wait_until("the slot is served", || {
            let mut look = self.members.iter().find_map(Instance::try_look)?;
            let ranges = look.try_run(&["CLUSTER", "SLOTS"]).ok()?;
            let holds = |range: &&Value| (range[0].as_u64()..=range[1].as_u64()).contains(&Some(slot));
            let port = ranges.as_array()?.iter().find(holds)?[2][1].as_u64()?;
            self.members.iter().position(|member| u64::from(member.port()) == port)
        })
    }

    /// Waits until all slots are served, every living replica has caught up, and the living members agree on who is
    /// what.
    pub fn wait_whole(&self) {
        wait_until("the cluster is whole", || {
            let living: Vec<&Instance> = self.members.iter().filter(|member| member.try_look().is_some()).collect();
            let primaries: BTreeSet<u16> =
                living.iter().filter(|member| is_primary(member)).map(|member| member.port()).collect();
            let is_right = |line: &Line| line.is_primary == primaries.contains(&line.port) && !line.is_failed;
            let agrees = |member: &Instance| {
                let is_known = |port: u16| {
                    lines(member).is_some_and(|lines| lines.iter().any(|line| line.port == port && is_right(line)))
                };
                living.iter().all(|other| is_known(other.port()))
            };
            let is_well = |member: &Instance| is_ok(member).is_some() && follows(member) && agrees(member);
            (primaries.len() == PRIMARIES && living.iter().all(|member| is_well(member))).then_some(())
        });
    }

    /// Waits until the slots of a member that was killed or paused are served by another; answers which.
    pub fn wait_failover(&self, from: usize) -> usize {
        let port = self.members[from].port();
        let others = || (0..self.members.len()).filter(|index| *index != from);
        let heir = wait_until("a replica has taken over", || {
            let lines = others().find_map(|index| lines(&self.members[index]))?;
            lines.iter().all(|line| line.port != port || !line.has_slots).then_some(())?;
            others().find(|index| self.members[*index].try_look().is_some() && self.is_heir(*index, from))
        });
        wait_until("all slots are served again", || {
            let mut living = others().filter(|index| self.members[*index].try_look().is_some());
            living.all(|index| is_ok(&self.members[index]).is_some()).then_some(())
        });
        heir
    }

    /// Whether a member is a primary now and belongs to the same pair.
    fn is_heir(&self, index: usize, from: usize) -> bool {
        index % PRIMARIES == from % PRIMARIES && is_primary(&self.members[index])
    }

    /// Starts a member that was killed, and waits until it has found its place and the cluster is whole.
    pub fn start_again(&mut self, index: usize) {
        self.members[index].start_again();
        self.wait_whole();
    }

    /// A replica takes over from its primary in order, which loses nothing; answers the new primary.
    pub fn fail_over(&self, primary: usize) -> usize {
        let replica = (primary + PRIMARIES) % (2 * PRIMARIES);
        self.members[replica].look().run(&["CLUSTER", "FAILOVER"]);
        wait_until("the replica is the primary", || is_primary(&self.members[replica]).then_some(()));
        self.wait_whole();
        replica
    }

    /// Moves a slot with all its keys to another primary while others use it; answers how many keys moved. `between` is
    /// called after each step of the move.
    pub fn migrate(&self, slot: u16, to: usize, mut between: impl FnMut()) -> usize {
        let from = self.owner(slot);
        assert_ne!(from, to, "slot {slot} is there already");
        let slot_number = slot;
        let (slot, target) = (slot.to_string(), self.members[to].port().to_string());
        let (from_id, to_id) = (self.id(from), self.id(to));
        self.members[to].look().run(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
        self.members[from].look().run(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
        between();
        let mut moved = 0;
        loop {
            let keys = self.members[from].look().texts(&["CLUSTER", "GETKEYSINSLOT", &slot, KEYS_PER_STEP]);
            if keys.is_empty() {
                break;
            }
            moved += keys.len();
            let mut command = vec!["MIGRATE", "127.0.0.1", &target, "", "0", "5000", "KEYS"];
            command.extend(keys.iter().map(String::as_str));
            self.members[from].look().run(&command);
            between();
        }
        // The one that receives has to know first: a client that follows MOVED in between would be sent in a circle.
        for index in
            [to, from].into_iter().chain(self.primaries().into_iter().filter(|index| ![to, from].contains(index)))
        {
            self.members[index].look().run(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
        }
        self.agree(slot_number, to, &to_id);
        moved
    }

    /// News of the one that gave, under way since before it was told, may overrule the one that received, after several moves
    /// in a row: two members then send everybody to each other for good. So an operator's tool looks whether all agree, and
    /// has the one that received say so once more, with a higher epoch.
    fn agree(&self, slot: u16, to: usize, to_id: &str) {
        wait_until("all members agree on who has the slot", || {
            let live: Vec<usize> =
                (0..self.members.len()).filter(|index| self.members[*index].try_look().is_some()).collect();
            if live.iter().all(|index| serves(&self.members[*index], slot, to_id)) {
                return Some(());
            }
            if !serves(&self.members[to], slot, to_id) {
                for index in self.primaries() {
                    self.members[index].look().run(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", to_id]);
                }
            }
            self.members[to].look().run(&["CLUSTER", "BUMPEPOCH"]);
            None
        });
    }

    /// The member that serves a slot, by its own words.
    fn owner(&self, slot: u16) -> usize {
        let is_owner = |index: &usize| own_slots(&self.members[*index]).iter().any(|range| range.contains(&slot));
        self.primaries().into_iter().find(is_owner).expect("every slot is served")
    }

    fn id(&self, index: usize) -> String {
        self.members[index].look().run(&["CLUSTER", "MYID"]).as_str().expect("an id is a text").to_owned()
    }

    fn meet(&self) {
        for (index, member) in self.members.iter().enumerate() {
            // Distinct epochs from the start spare the members the seconds in which they would find them.
            member.look().run(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
        }
        let mut first = self.members[0].look();
        for member in &self.members[1..] {
            let bus = bus_port(member);
            first.run(&["CLUSTER", "MEET", "127.0.0.1", &member.port().to_string(), &bus]);
        }
    }

    fn give_slots(&self) {
        let bounds = [0, 5461, 10923, 16384];
        for (member, range) in self.members.iter().zip(bounds.windows(2)) {
            let (first, last) = (range[0].to_string(), (range[1] - 1).to_string());
            member.look().run(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
        }
    }

    /// Whether every member knows all members, and each of them is so.
    fn everywhere(&self, is_so: impl Fn(&Line) -> bool) -> Option<()> {
        let all_so = |lines: Vec<Line>| lines.len() == self.members.len() && lines.iter().all(&is_so);
        self.members.iter().all(|member| lines(member).is_some_and(all_so)).then_some(())
    }
}

/// The port of the bus is named, too: the one that belongs to a port by rule may not exist.
fn start_member(options: &[&str]) -> Instance {
    Instance::try_ports(|port| {
        let bus = free_port().to_string();
        let cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", TIMEOUT_MS, "--cluster-port", &bus];
        let repair = ["--cluster-allow-replica-migration", "no", "--cluster-replica-validity-factor", "0"];
        let all: Vec<&str> = cluster.into_iter().chain(repair).chain(options.iter().copied()).collect();
        Instance::start_at(port, &all)
    })
}

fn bus_port(member: &Instance) -> String {
    let answer = member.look().texts(&["CONFIG", "GET", "cluster-port"]);
    answer[1].clone()
}

/// Whether a member says that all slots are served.
fn is_ok(member: &Instance) -> Option<()> {
    let text = member.try_look()?.try_run(&["CLUSTER", "INFO"]).ok()?;
    text.as_str()?.contains("cluster_state:ok").then_some(())
}

fn is_primary(member: &Instance) -> bool {
    member.info("replication", "role").as_deref() == Some("master")
}

/// Whether a member that is a replica has caught up with its primary.
fn follows(member: &Instance) -> bool {
    is_primary(member) || member.info("replication", "master_link_status").as_deref() == Some("up")
}

/// What a member says of all, itself included.
fn lines(member: &Instance) -> Option<Vec<Line>> {
    let text = member.try_look()?.try_run(&["CLUSTER", "NODES"]).ok()?;
    text.as_str()?.lines().map(parse_line).collect()
}

/// `id host:port@bus,name flags primary ping pong epoch link slot...`
fn parse_line(line: &str) -> Option<Line> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (address, flags) = (words.get(1)?, words.get(2)?);
    let port = address.split('@').next()?.rsplit_once(':')?.1.parse().ok()?;
    let is_flag = |word: &str| flags.split(',').any(|flag| flag == word);
    Some(Line {
        id: words[0].to_owned(),
        port,
        is_primary: is_flag("master"),
        is_failed: is_flag("fail") || is_flag("fail?") || is_flag("handshake"),
        // What moves at the moment stands in brackets and belongs to nobody new yet.
        has_slots: words.iter().skip(8).any(|word| !word.starts_with('[')),
    })
}

/// Whether a slot is served by the member of this id, by the words of another one.
fn serves(member: &Instance, slot: u16, id: &str) -> bool {
    let text = member.look().run(&["CLUSTER", "NODES"]);
    let line = text.as_str().and_then(|text| text.lines().find(|line| line.starts_with(id))).unwrap_or_default();
    ranges(line).iter().any(|range| range.contains(&slot))
}

/// The slots that a member says it serves.
fn own_slots(member: &Instance) -> Vec<RangeInclusive<u16>> {
    let text = member.look().run(&["CLUSTER", "NODES"]);
    let own = text.as_str().and_then(|text| text.lines().find(|line| line.contains("myself"))).unwrap_or_default();
    ranges(own)
}

/// The slots of a line of CLUSTER NODES.
fn ranges(line: &str) -> Vec<RangeInclusive<u16>> {
    let range = |word: &str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    line.split_whitespace().skip(8).filter(|word| !word.starts_with('[')).filter_map(range).collect()
}
