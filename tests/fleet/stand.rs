//! A fleet of real nodes, what can be done to it, and the two verdicts at the end: over the history and over the store.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::board::{Board, Place};
use crate::checker::{self, Bounds, Report, spread};
use crate::crowd::{Crowd, Habit};
use crate::history::{Life, Record, What};
use crate::rest::{self, Content};
use crate::support::{PATIENCE, RedisServer, Resp, Server, Setup, clock_ms, wait_until};

/// Milliseconds of silence after which a session is expired.
pub const SILENCE_MS: u64 = 2_000;
/// How long two sessions may both be served while nothing is broken: what a kick takes to travel, on a machine whose
/// cores are busy with other tests. `verify` runs too rarely in these scenarios to hide a kick that got lost.
pub const KICK: Duration = Duration::from_secs(1);
/// Time between two verifies where a scenario breaks something.
pub const VERIFY: Duration = Duration::from_secs(1);
/// How long two sessions may both be served after a node can reach its store again, or goes on after a pause: what it
/// takes to connect anew, which is tried every two seconds, to register, and to verify.
const MEND: Duration = Duration::from_secs(5);

/// The seed of this run, printed so that it can be run again.
pub fn seed() -> u64 {
    let given = std::env::var("ONESEAT_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(clock_ms);
    println!("seed {seed}; ONESEAT_SEED={seed} runs it again");
    seed
}

/// A number for the short form, multiplied in the long one.
pub fn long(number: usize) -> usize {
    let is_long = std::env::var("ONESEAT_FLEET_LONG").is_ok_and(|text| text == "1");
    if is_long { number * 20 } else { number }
}

/// What every scenario may expect while nothing is broken.
pub fn healthy() -> Bounds {
    Bounds { overlap: KICK, mend: MEND, silence: Duration::from_millis(SILENCE_MS), may_forget: false }
}

/// A node's settings: short leases, and a verify that comes as often as the scenario wants.
pub fn node(url: &str, position: usize, verify: Duration) -> Setup {
    Setup::at(url)
        .set("node.name", name(position))
        .set("node.beat_ms", 300)
        .set("node.lease_ms", 1_500)
        .set("node.verify_ms", verify.as_millis())
        .set("heartbeat.interval_ms", SILENCE_MS / 4)
        .set("heartbeat.limit_ms", SILENCE_MS)
        .set("log.level", "warn")
}

fn name(position: usize) -> String {
    format!("t{}", position + 1)
}

/// Nodes on one store, and the history of all that happens on them.
pub struct Fleet {
    nodes: Vec<Server>,
    /// Positions of the nodes that do not live.
    dead: Vec<usize>,
    /// Where to look into the primaries of the store.
    stores: Vec<PathBuf>,
    pub board: Arc<Board>,
    pub record: Arc<Record>,
}

impl Fleet {
    /// So many plain nodes on one server.
    pub fn on(redis: &RedisServer, nodes: usize, verify: Duration) -> Self {
        let setups = (0..nodes).map(|position| node(&redis.url(), position, verify)).collect();
        Self::start(vec![redis.socket()], setups)
    }

    /// Starts all nodes at once. `stores` are the sockets of the store's primaries.
    pub fn start(stores: Vec<PathBuf>, setups: Vec<Setup>) -> Self {
        let nodes: Vec<Server> = thread::scope(|scope| {
            let starts: Vec<_> = setups.into_iter().map(|setup| scope.spawn(|| setup.start())).collect();
            starts.into_iter().map(|start| start.join().expect("the node starts")).collect()
        });
        let board = Arc::new(Board::new(nodes.iter().map(place).collect()));
        Self { nodes, dead: Vec::new(), stores, board, record: Arc::new(Record::new()) }
    }

    pub fn node(&self, position: usize) -> &Server {
        &self.nodes[position]
    }

    /// Lets a crowd loose.
    pub fn crowd(&self, habit: Habit, seed: u64) -> Crowd {
        Crowd::start(self.record.clone(), self.board.clone(), habit, seed)
    }

    /// Ends a node without a warning.
    pub fn kill(&mut self, position: usize) {
        let fault = self.record.break_off(Some(position), What::Death);
        self.nodes[position].kill();
        self.record.mend(fault);
        self.dead.push(position);
    }

    /// A node that a test made crash has ended by itself since `fault` began.
    pub fn wait_crash(&mut self, position: usize, fault: usize) {
        let (code, _) = self.nodes[position].wait_exit();
        assert_eq!(code, None, "it was to be ended by a signal");
        self.record.mend(fault);
        self.dead.push(position);
    }

    /// Starts a dead node again, under its name and with its folder.
    pub fn start_again(&mut self, position: usize) {
        self.nodes[position].start_again();
        self.board.moved(position, place(&self.nodes[position]));
        self.dead.retain(|dead| *dead != position);
    }

    /// Starts every node again that has ended by itself.
    pub fn revive(&mut self) {
        for position in 0..self.nodes.len() {
            if self.nodes[position].has_ended() {
                self.start_again(position);
            }
        }
    }

    /// It lives, keeps its connections, and does nothing. Answers the place in the history.
    pub fn pause(&self, position: usize) -> usize {
        let fault = self.record.break_off(Some(position), What::Deafness);
        self.nodes[position].signal(Signal::STOP);
        fault
    }

    /// It goes on.
    pub fn resume(&self, position: usize, fault: usize) {
        self.nodes[position].signal(Signal::CONT);
        self.record.mend(fault);
    }

    /// Waits until the directory holds the node's lease to be out.
    pub fn wait_lease_out(&self, position: usize) {
        wait_until("the lease is out", || (!self.content()?.leased.contains(&name(position))).then_some(()));
    }

    /// Waits until every living node is ready.
    pub fn wait_ready(&self) {
        let living = self.nodes.iter().enumerate().filter(|(position, _)| !self.dead.contains(position));
        living.for_each(|(_, node)| node.admin.wait_ready());
    }

    /// What the store holds; `None` where it cannot be read now.
    fn content(&self) -> Option<Content> {
        let mut primaries: Vec<Resp> =
            self.stores.iter().map(|socket| Resp::connect(socket).ok()).collect::<Option<_>>()?;
        Content::read(&mut primaries).ok()
    }

    /// Other members of the store are the primaries now.
    pub fn look_at(&mut self, stores: Vec<PathBuf>) {
        self.stores = stores;
    }

    /// Lets the crowd come to rest, holds the store and the history against the promises, and sends all home.
    pub fn settle(&self, crowd: Crowd, bounds: Bounds) -> Report {
        crowd.rest();
        self.wait_rest();
        let history = self.record.read();
        crowd.go_home();
        self.wait_rest();
        self.judge(checker::check(&history, bounds))
    }

    /// Waits until store and clients agree.
    pub fn wait_rest(&self) {
        let names: Vec<String> = (0..self.nodes.len()).map(name).collect();
        let end = Instant::now() + PATIENCE;
        loop {
            let history = self.record.read();
            let live: Vec<&Life> = history.lives.iter().filter(|life| life.is_live()).collect();
            let wrong = match self.content() {
                Some(content) => rest::check(&content, &live, &names, &self.dead),
                None => vec!["the store cannot be read".to_owned()],
            };
            if wrong.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "{} things are not at rest:\n{}", wrong.len(), wrong.join("\n"));
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Prints what was measured, and fails where a promise was broken.
    pub fn judge(&self, report: Report) -> Report {
        println!("both served: {}", spread(&report.overlaps));
        println!("both served while nothing was broken: {}", spread(&report.healthy_overlaps));
        println!("told after the taker: {}", spread(&report.told));
        let history = self.record.read();
        let sessions = history.lives.iter().filter(|life| life.session().is_some()).count();
        println!(
            "{} logins, {sessions} sessions, {} refused or without an answer",
            history.lives.len(),
            history.lives.len() - sessions
        );
        println!("{} displaced sessions were told no reason, for their takers had left", report.unnamed);
        let few: Vec<&String> = report.violations.iter().take(20).collect();
        assert!(report.violations.is_empty(), "{} violations, the first: {few:#?}", report.violations.len());
        report
    }
}

fn place(node: &Server) -> Place {
    Place { clients: node.address(), admin: node.admin_address() }
}
