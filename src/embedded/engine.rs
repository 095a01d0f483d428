//! The engine: takes a request of a client to the command that answers it.
//!
//! Order of checks is Redis': unknown command, arity, subscribed RESP2 clients, memory, transaction queue, then the
//! command itself. A panic in a command becomes an error reply. The engine goes on only if that command had not begun
//! to change keys; otherwise it refuses all that follows, and its server ends.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::aof::Fsync;
use super::client::{ClientId, LOCAL, ReplyMode};
use super::clock::EngineClock;
use super::core::{Core, Tally};
use super::digest;
use super::fault::Fault;
use super::keyspace::Snapshot;
use super::lua::host::{Host, Verdict};
use super::reply::{Output, Reply, TokenReader};
use super::shuffle;
use super::spec::{Call, Handler, Outcome, Spec, flag};
use super::table;

/// How an engine behaves.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where the time comes from.
    pub clock: EngineClock,
    /// A script that touches a key outside its KEYS, or whose KEYS lie in two hash slots, fails.
    pub strict: bool,
    /// Keeps what is published for [`Engine::take_published`].
    pub capture_published: bool,
    /// Lua instructions after which a script is ended with an error; 0 for no limit.
    pub script_instructions_max: u64,
    /// Milliseconds after which a script that has written nothing is ended with an error; 0 for no limit.
    pub script_ms_max: u64,
    /// Bytes that Lua may hold; 0 for no limit.
    pub lua_bytes_max: usize,
    /// Counts how often each line of each script runs, for [`Engine::take_lines`]; makes scripts several times slower.
    pub count_lines: bool,
    /// Bytes of data past which writes are refused, as `maxmemory` of Redis; 0 for no limit.
    pub memory_bytes_max: u64,
    /// Seed of the random picks, with which replies to scripts whose order Redis leaves open (SMEMBERS, HGETALL and
    /// the like) come shuffled, too; none for the order in which they are stored.
    pub shuffle_seed: Option<u64>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            clock: EngineClock::System,
            strict: false,
            capture_published: false,
            script_instructions_max: 0,
            script_ms_max: 0,
            lua_bytes_max: 0,
            count_lines: false,
            memory_bytes_max: 0,
            shuffle_seed: None,
        }
    }
}

/// A Redis-compatible store owned by one thread.
pub struct Engine {
    pub(super) core: Rc<RefCell<Core>>,
    pub(super) host: Host,
}

impl Engine {
    /// An empty store.
    pub fn new(options: EngineOptions) -> Engine {
        let core = Rc::new(RefCell::new(Core::new(options.clock.clone(), options.capture_published)));
        core.borrow_mut().config.maxmemory = options.memory_bytes_max;
        if let Some(seed) = options.shuffle_seed {
            let mut core = core.borrow_mut();
            (core.random, core.shuffles) = (shuffle::spread(seed), true);
        }
        let host = Host::new(Rc::clone(&core), &options);
        Engine { core, host }
    }

    /// Runs one command of the in-process client.
    pub fn execute(&mut self, args: &[&[u8]]) -> Reply {
        let mut out = Output::new(true);
        self.dispatch(LOCAL, args, &mut out);
        TokenReader::new(&out.buffer).reply()
    }

    /// Messages published since the last call, as (channel, payload); empty unless they are captured.
    pub fn take_published(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.core.borrow_mut().published.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// How often each line of each script ran since the last call, by the script's digest, the first line first; empty
    /// unless lines are counted.
    pub fn take_lines(&mut self) -> BTreeMap<String, Vec<u64>> {
        self.host.take_lines()
    }

    /// Has `listener` called from time to time while a script runs.
    pub fn listen_to_scripts(&mut self, listener: impl Fn() + 'static) {
        self.host.set_watch(Box::new(move |_| {
            listener();
            Verdict::GoOn
        }));
    }

    /// A digest of all keys, values and deadlines that does not depend on their order.
    pub fn digest(&mut self) -> u64 {
        let mut core = self.core.borrow_mut();
        core.tick();
        digest::of_keyspace(&core.db)
    }

    /// A copy of all keys.
    pub fn snapshot(&self) -> Snapshot {
        self.core.borrow().db.snapshot()
    }

    /// Puts all keys back to what they were at a snapshot.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.core.borrow_mut().db.restore(snapshot);
    }

    /// Runs one request of a client and writes its reply.
    pub(super) fn dispatch(&self, id: ClientId, args: &[&[u8]], out: &mut Output) {
        let start = out.buffer.len();
        let mailed = self.core.borrow().mail.len();
        let outcome = contain(args, || self.route(id, args, out));
        let mut core = self.core.borrow_mut();
        if core.db.changing || core.halved {
            core.shutdown = true;
            core.db.effects.abandon();
        }
        if let Err(fault) = outcome {
            out.buffer.truncate(start);
            core.count_error(&fault);
            out.error(&fault.text);
        }
        core.publish_events();
        core.close_unit(mailed);
        core.note_duration(args);
        let client = core.client();
        // Confirmations of subscriptions are messages, which come also to those who want no replies.
        let silent = matches!(client.reply_mode, ReplyMode::Off | ReplyMode::Skip);
        if silent && !client.last_command.ends_with("subscribe") {
            out.buffer.truncate(start);
        }
        client.reply_mode = match client.reply_mode {
            ReplyMode::SkipNext => ReplyMode::Skip,
            ReplyMode::Skip => ReplyMode::On,
            mode => mode,
        };
        out.resp3 = client.resp3 || id == LOCAL;
        out.buffer.append(&mut core.deferred);
    }

    fn route(&self, id: ClientId, args: &[&[u8]], out: &mut Output) -> Outcome {
        let mut core = self.core.borrow_mut();
        core.current = id;
        core.tick();
        core.stats.commands += 1;
        let spec = match admit(&mut core, args) {
            Ok(Some(spec)) => spec,
            Ok(None) => {
                out.status(b"QUEUED");
                return Ok(());
            }
            Err(fault) => {
                if let Some(transaction) = &mut core.client().transaction {
                    transaction.aborted = true;
                }
                return Err(fault);
            }
        };
        drop(core);
        self.run(spec, id, args, out)
    }

    /// Runs a command that was admitted.
    pub(super) fn run(&self, spec: &'static Spec, id: ClientId, args: &[&[u8]], out: &mut Output) -> Outcome {
        match spec.handler {
            Handler::Plain(_) | Handler::Container(_) => run_plain(&mut self.core.borrow_mut(), spec, args, out),
            Handler::Engine(command) => {
                self.core.borrow_mut().tally(spec).calls += 1;
                let outcome = command(self, id, args, out);
                if outcome.is_err() {
                    self.core.borrow_mut().tally(spec).failed += 1;
                }
                outcome
            }
        }
    }
}

/// Runs a command; a panic in it becomes an error.
fn contain(args: &[&[u8]], command: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        let name = String::from_utf8_lossy(args.first().copied().unwrap_or_default()).into_owned();
        tracing::error!(command = name, "a command panicked; its client was answered with an error");
        Err(Fault::INTERNAL)
    })
}

impl Core {
    /// The counters of a command.
    fn tally(&mut self, spec: &'static Spec) -> &mut Tally {
        self.stats.tallies.resize_with(table::COMMANDS.len(), Tally::default);
        &mut self.stats.tallies[table::position(spec)]
    }

    /// Puts the request that just ran into the SLOWLOG when it took long.
    fn note_duration(&mut self, args: &[&[u8]]) {
        let took_us = self.clock.now_us().saturating_sub(self.now_us);
        if self.config.slowlog_us < 0 || took_us < self.config.slowlog_us as u64 {
            return;
        }
        let (at, length_max) = (self.now_us / 1_000_000, self.config.slowlog_length_max as usize);
        let name = self.client().name.clone();
        self.slowlog.add(args, at, took_us, name, length_max);
    }

    /// Under `always` nobody is shown what a crash could take back, not even one who changed nothing.
    fn hold_reader(&mut self) {
        if self.config.append_only && self.config.fsync == Fsync::Always && self.log.trouble.is_none() {
            let position = self.db.effects.position();
            let client = self.client();
            client.held_until = client.held_until.max(position);
        }
    }

    /// Ends the unit of the request that just ran. Its reply waits until the unit is settled, and so do the messages
    /// that it sent to others, who stand in `mail` from a position on.
    fn close_unit(&mut self, mailed: usize) {
        let Some(position) = self.db.effects.close() else { return self.hold_reader() };
        for id in self.mail[mailed.min(self.mail.len())..].iter().chain([&self.current]) {
            if let Some(client) = self.clients.get_mut(id) {
                client.held_until = position;
            }
        }
    }

    /// Counts a command that was refused before it ran.
    pub fn count_rejected(&mut self, spec: &'static Spec) {
        self.tally(spec).rejected += 1;
    }
}

/// Runs a command that works on the state alone.
pub(super) fn run_plain(core: &mut Core, spec: &'static Spec, args: &[&[u8]], out: &mut Output) -> Outcome {
    let command = match spec.handler {
        Handler::Plain(command) | Handler::Container(Some(command)) => command,
        Handler::Container(None) => return Err(Fault::arity(spec.name)),
        Handler::Engine(_) => {
            return Err(Fault::new("ERR This Redis command is not allowed from script"));
        }
    };
    // A script may have caught the panic of a command before this one.
    if core.db.changing || core.halved {
        return Err(Fault::INTERNAL);
    }
    let is_write = spec.has(flag::WRITE);
    if is_write {
        core.check_log()?;
    }
    core.tally(spec).calls += 1;
    let before = core.db.dirty;
    let outcome = command(&mut Call { core, out }, args);
    core.db.changing = false;
    if is_write {
        let changed = core.db.dirty != before;
        core.db.effects.record(args, changed);
    }
    if outcome.is_err() {
        core.tally(spec).failed += 1;
    }
    outcome
}

/// Checks a request before it runs; none when it was queued for EXEC.
fn admit(core: &mut Core, args: &[&[u8]]) -> Result<Option<&'static Spec>, Fault> {
    let spec = resolve(args)?;
    core.client().last_command = spec.name;
    check(core, spec).inspect_err(|_| core.count_rejected(spec))?;
    if spec.has(flag::UNQUEUED) {
        return Ok(Some(spec));
    }
    let Some(transaction) = &mut core.client().transaction else { return Ok(Some(spec)) };
    transaction.deny_oom |= spec.has(flag::DENYOOM);
    transaction.queue.push(args.iter().map(|arg| arg.to_vec()).collect());
    Ok(None)
}

/// Checks whether a client may run a command now.
fn check(core: &mut Core, spec: &'static Spec) -> Outcome {
    let client = core.client();
    if client.confined() && !spec.has(flag::WHILE_SUBSCRIBED) {
        return Err(Fault::new(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this \
             context",
            spec.name
        )));
    }
    if client.transaction.is_some() && spec.has(flag::NO_MULTI) {
        return Err(Fault::new("ERR Command not allowed inside a transaction"));
    }
    // A queue takes memory whatever is in it.
    let queued = client.transaction.is_some() && !spec.has(flag::UNQUEUED);
    if queued || spec.has(flag::DENYOOM) {
        core.check_memory()?;
    }
    Ok(())
}

/// Finds the command of a request and checks the number of its arguments.
pub(super) fn resolve(args: &[&[u8]]) -> Result<&'static Spec, Fault> {
    let name = args.first().copied().unwrap_or_default();
    let spec = table::find(name).ok_or_else(|| unknown_command(args))?;
    let spec = match (spec.handler, args.get(1)) {
        (Handler::Container(_), Some(word)) => {
            table::find_subcommand(spec.name, word).ok_or_else(|| unknown_subcommand(spec.name, word))?
        }
        _ => spec,
    };
    if spec.accepts(args.len()) { Ok(spec) } else { Err(Fault::arity(spec.name)) }
}

fn unknown_command(args: &[&[u8]]) -> Fault {
    let name = String::from_utf8_lossy(args.first().copied().unwrap_or_default());
    let name: String = name.chars().take(128).collect();
    let mut shown = String::new();
    for arg in args.iter().skip(1) {
        if shown.len() >= 128 {
            break;
        }
        let room = 128 - shown.len();
        shown.push_str(&format!("'{}' ", String::from_utf8_lossy(&arg[..arg.len().min(room)])));
    }
    Fault::new(format!("ERR unknown command '{name}', with args beginning with: {shown}"))
}

pub(super) fn unknown_subcommand(container: &str, word: &[u8]) -> Fault {
    let word = String::from_utf8_lossy(&word[..word.len().min(128)]).into_owned();
    Fault::new(format!("ERR unknown subcommand '{word}'. Try {} HELP.", container.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::hash::Hash;
    use crate::embedded::spec::{Family, Keys, PlainCommand};

    fn run(engine: &Engine, handler: PlainCommand) -> Outcome {
        let handler = Handler::Plain(handler);
        let spec = Spec { name: "odd", arity: 1, flags: 0, keys: Keys::None, family: Family::Server, handler };
        let spec = Box::leak(Box::new(spec));
        contain(&[b"odd"], || engine.run(spec, LOCAL, &[b"odd"], &mut Output::new(true)))
    }

    #[test]
    fn a_panic_before_the_first_change_is_answered_and_forgotten() {
        let mut engine = Engine::new(EngineOptions::default());
        engine.execute(&[b"SET", b"k", b"v"]);
        let outcome = run(&engine, |call, _| match call.core.db.exists(b"k") {
            true => panic!("it read a key"),
            false => Ok(()),
        });
        assert_eq!(outcome.expect_err("it panicked").text, Fault::INTERNAL.text);
        assert_eq!(engine.execute(&[b"GET", b"k"]), Reply::Bulk(b"v".to_vec()));
        assert!(!engine.core.borrow().shutdown);
    }

    #[test]
    fn a_panic_amid_a_change_ends_the_store() {
        let mut engine = Engine::new(EngineOptions::default());
        let outcome = run(&engine, |call, _| {
            call.core.db.make::<Hash>(b"half")?.set(b"field", b"value");
            panic!("it changed a key")
        });
        assert_eq!(outcome.expect_err("it panicked").text, Fault::INTERNAL.text);
        assert!(matches!(engine.execute(&[b"HGETALL", b"half"]), Reply::Error(_)));
        assert!(engine.core.borrow().shutdown);
    }
}
