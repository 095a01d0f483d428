//! The state that commands work on: keys, clients, subscriptions, settings, counters.
//!
//! It is owned by one thread and borrowed by one command at a time. A running script borrows it for the length of
//! each of its commands, never longer, so nothing here may call into Lua.

use std::collections::{BTreeMap, HashMap};

use ahash::RandomState;

use super::aof::journal::Status;
use super::client::{Client, ClientId, LOCAL};
use super::clock::EngineClock;
use super::config::Config;
use super::fault::Fault;
use super::keyspace::{Keyspace, class};
use super::pubsub::PubSub;
use super::reply::Output;
use super::slowlog::Slowlog;

/// What the script that is running may do and has done.
#[derive(Debug, Default)]
pub struct ScriptRun {
    pub running: bool,
    /// Writing commands are refused.
    pub read_only: bool,
    /// It went on although memory is short, because its flags say so or because it has written before.
    pub ignores_memory: bool,
    /// It has run a writing command, so it can no longer be killed.
    pub wrote: bool,
    /// In strict mode the keys that it declared.
    pub declared: Option<Vec<Vec<u8>>>,
}

/// Counters of one command.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub calls: u64,
    /// Refused before it ran.
    pub rejected: u64,
    /// Ran and answered with an error.
    pub failed: u64,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Stats {
    pub commands: u64,
    pub connections: u64,
    pub keyspace_hits: u64,
    pub keyspace_misses: u64,
    /// By the position of the command in the table.
    pub tallies: Vec<Tally>,
    /// Error replies by code.
    pub errors: BTreeMap<String, u64>,
}

/// Everything a command can see.
pub struct Core {
    pub db: Keyspace,
    pub clients: HashMap<ClientId, Client, RandomState>,
    pub pubsub: PubSub,
    pub config: Config,
    pub stats: Stats,
    pub script: ScriptRun,
    /// Requests that took long.
    pub slowlog: Slowlog,
    /// The append-only file, as far as commands are concerned.
    pub log: Status,
    pub clock: EngineClock,
    /// The time of the running command or script, in microseconds since the epoch.
    pub now_us: u64,
    pub started_us: u64,
    /// The client whose command is running.
    pub current: ClientId,
    /// Messages to the running client, which follow its reply.
    pub deferred: Vec<u8>,
    /// Clients whose outbox was filled by the commands of others, or who are to be disconnected.
    pub mail: Vec<ClientId>,
    /// Messages published, when somebody in the process asked to capture them.
    pub published: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    /// State of the generator behind random picks.
    pub random: u64,
    /// Replies to scripts whose order is open come shuffled.
    pub shuffles: bool,
    pub run_id: String,
    /// Scripts that EVALSHA finds.
    pub cached_scripts: usize,
    /// Bytes that the Lua interpreter held after the last script.
    pub lua_bytes: usize,
    /// Somebody asked the store to end.
    pub shutdown: bool,
    /// A script was ended in its middle, after it wrote: the store ends, and nothing more is built upon what is there.
    pub halved: bool,
    next_client: ClientId,
}

impl Core {
    pub fn new(clock: EngineClock, capture_published: bool) -> Core {
        let now_us = clock.now_us();
        let mut core = Core {
            db: Keyspace::default(),
            clients: HashMap::default(),
            pubsub: PubSub::default(),
            config: Config::default(),
            stats: Stats::default(),
            script: ScriptRun::default(),
            slowlog: Slowlog::default(),
            log: Status::default(),
            clock,
            now_us,
            started_us: now_us,
            current: LOCAL,
            deferred: Vec::new(),
            mail: Vec::new(),
            published: capture_published.then(Vec::new),
            random: now_us | 1,
            shuffles: false,
            run_id: sha1_smol::Sha1::from(now_us.to_le_bytes()).digest().to_string(),
            cached_scripts: 0,
            lua_bytes: 0,
            shutdown: false,
            halved: false,
            next_client: 1,
        };
        core.clients.insert(LOCAL, Client::new(LOCAL, now_us));
        core.tick();
        core
    }

    /// Reads the clock for the command that begins.
    pub fn tick(&mut self) {
        self.now_us = self.clock.now_us();
        self.db.now_ms = self.now_us / 1000;
    }

    /// Registers a new client.
    pub fn connect(&mut self) -> ClientId {
        let id = self.next_client;
        self.next_client += 1;
        self.stats.connections += 1;
        self.clients.insert(id, Client::new(id, self.clock.now_us()));
        id
    }

    /// Forgets a client with its subscriptions and watches.
    pub fn disconnect(&mut self, id: ClientId) {
        self.reset(id);
        self.clients.remove(&id);
    }

    /// Ends a client's subscriptions, watches and transaction.
    pub fn reset(&mut self, id: ClientId) {
        use super::pubsub::Space;
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        client.transaction = None;
        let watching = std::mem::take(&mut client.watching);
        for (space, names) in [
            (Space::Channel, std::mem::take(&mut client.channels)),
            (Space::Pattern, std::mem::take(&mut client.patterns)),
            (Space::Shard, std::mem::take(&mut client.shard_channels)),
        ] {
            names.iter().for_each(|name| self.pubsub.unsubscribe(space, name, id));
        }
        self.db.unwatch(id, &watching);
    }

    /// Has a client disconnected once its outbox is sent.
    pub fn close_client(&mut self, id: ClientId) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.closing = true;
            self.mail.push(id);
        }
    }

    /// The client whose command is running.
    pub fn client(&mut self) -> &mut Client {
        let id = self.current;
        self.clients.entry(id).or_insert_with(|| Client::new(id, 0))
    }

    /// Sends a message to all who listen; their number.
    pub fn publish(&mut self, channel: &[u8], payload: &[u8], shard: bool) -> usize {
        if let Some(published) = &mut self.published {
            published.push((channel.to_vec(), payload.to_vec()));
        }
        let receivers = self.pubsub.receivers(channel, shard);
        for (id, pattern) in &receivers {
            let Some(client) = self.clients.get_mut(id) else {
                continue;
            };
            let mut own = Output::new(client.resp3);
            // The reply of the running command is not written yet; what is pushed to its client must follow it.
            let out = if *id == self.current { &mut own } else { &mut client.outbox };
            out.resp3 = client.resp3;
            write_message(out, pattern.as_deref(), channel, payload, shard);
            self.deferred.append(&mut own.buffer);
            if *id != self.current {
                self.mail.push(*id);
            }
        }
        receivers.len()
    }

    /// Publishes the keyspace events noted by the last command.
    pub fn publish_events(&mut self) {
        if self.db.events.is_empty() {
            return;
        }
        for event in std::mem::take(&mut self.db.events) {
            if self.db.notify & class::KEYSPACE != 0 {
                let channel = [b"__keyspace@0__:", &*event.key].concat();
                self.publish(&channel, event.name.as_bytes(), false);
            }
            if self.db.notify & class::KEYEVENT != 0 {
                let channel = format!("__keyevent@0__:{}", event.name);
                self.publish(channel.as_bytes(), &event.key, false);
            }
        }
    }

    /// Counts an error reply by its code.
    pub fn count_error(&mut self, fault: &Fault) {
        if fault.counted {
            return;
        }
        *self.stats.errors.entry(fault.code().to_string()).or_default() += 1;
    }

    /// A number below `bound` from the engine's own generator (xorshift).
    pub fn random_below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((u128::from(self.random) * bound as u128) >> 64) as usize
    }
}

fn write_message(out: &mut Output, pattern: Option<&[u8]>, channel: &[u8], payload: &[u8], shard: bool) {
    match pattern {
        Some(pattern) => {
            out.push(4);
            out.bulk(b"pmessage");
            out.bulk(pattern);
        }
        None => {
            out.push(3);
            out.bulk(if shard { b"smessage" } else { b"message" });
        }
    }
    out.bulk(channel);
    out.bulk(payload);
}
