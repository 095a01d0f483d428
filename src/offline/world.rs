//! The world of one test: a store, the catalogue, which version of the tested script runs, and what was seen.
//!
//! It calls scripts as the server does, by names from the header, and holds what comes back against the header. It
//! knows no Lua; the language puts it into words.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use crate::embedded::{Engine, Moment, Reply, Snapshot};
use crate::offline::pulse::Pulse;
use crate::offline::reach::Reach;
use crate::offline::rollback::Turns;
use crate::offline::search::Explored;
use crate::offline::store::Store;
use crate::offline::trace::Trace;
use crate::script::argument::{Argument, Arguments};
use crate::script::catalogue::{Catalogue, Script};
use crate::script::effect::{Effect, Item, decode_effects, decode_reply};
use crate::script::header::Mode;
use crate::script::key::{Key, Shard};
use crate::script::standing::SCRIPTS_CHANNEL;

/// All keys of a test lie on one shard.
const SHARD: Shard = Shard(0);
/// How far ahead `not_after` lies where neither the test nor its defaults say.
const BUDGET_MS: u64 = 60_000;

/// What every node adds to its calls; a test changes them with `defaults`.
const DEFAULTS: [(Argument, &str); 25] = [
    (Argument::Node, "n1"),
    (Argument::Incarnation, "1700000000000"),
    (Argument::ChannelPrefix, "os:node:"),
    (Argument::Channel, SCRIPTS_CHANNEL),
    (Argument::Policy, "takeover"),
    (Argument::IntervalMs, "10000"),
    (Argument::LimitMs, "60000"),
    (Argument::TtlMs, "86400000"),
    (Argument::TrailMax, "8"),
    (Argument::LeaseMs, "10000"),
    (Argument::PageMax, "100"),
    (Argument::Shards, "1"),
    (Argument::BodyMax, "16384"),
    (Argument::FriendsMax, "1000"),
    (Argument::AppliesMax, "100"),
    (Argument::AppliesPerDay, "50"),
    (Argument::Senders, "friends"),
    (Argument::TextMax, "4096"),
    (Argument::InboxMax, "1000"),
    (Argument::InboxBytesMax, "1048576"),
    (Argument::InboxTtlMs, "2592000000"),
    (Argument::InboxFull, "refuse"),
    (Argument::DedupMs, "600000"),
    (Argument::GraceMs, "5000"),
    (Argument::EventsMax, "0"),
];

/// A published message with its effects.
pub struct Published {
    pub channel: String,
    pub payload: Vec<u8>,
    pub effects: Vec<Effect>,
}

/// Everything that one test works on.
pub struct World {
    store: Store,
    catalogue: Rc<Catalogue>,
    /// The script whose test this is.
    script: String,
    /// Its version that runs; other scripts run in their active one.
    version: u32,
    /// The versions that the next calls run, where two take turns.
    turns: Option<Turns>,
    defaults: BTreeMap<&'static str, String>,
    /// Digests of the scripts that this store has.
    loaded: HashSet<String>,
    /// Names of the effects that came back, by script, as `login@1`.
    seen: BTreeMap<String, BTreeSet<String>>,
    /// Whether the test asked for something that only the embedded store can do.
    needs_embedded: bool,
    pulse: Rc<Pulse>,
    /// What the store answered; none unless it will be compared.
    trace: Option<Trace>,
    /// What explorations covered.
    explored: Explored,
    /// Copies of all keys by their digest.
    copies: HashMap<String, Snapshot>,
}

/// All of a world that the steps of an exploration change.
pub struct Saved {
    moment: Moment,
    turns: Option<Turns>,
}

impl World {
    /// A world around an empty store.
    pub fn new(store: Store, catalogue: Rc<Catalogue>, script: &Script) -> Self {
        let defaults = DEFAULTS.iter().map(|(argument, value)| (argument.word(), (*value).to_owned())).collect();
        Self {
            store,
            catalogue,
            script: script.name().to_owned(),
            version: script.version(),
            turns: None,
            defaults,
            loaded: HashSet::new(),
            seen: BTreeMap::new(),
            needs_embedded: false,
            pulse: Rc::new(Pulse::silent()),
            trace: None,
            explored: Explored::default(),
            copies: HashMap::new(),
        }
    }

    /// Keeps what the store answers, to be compared.
    #[must_use]
    pub fn with_trace(mut self) -> Self {
        self.trace = Some(Trace::new());
        self
    }

    /// All that the store answered and what it holds now.
    pub fn trace(&mut self) -> io::Result<Trace> {
        let mut trace = self.trace.take().unwrap_or_else(Trace::new);
        trace.note_published(&self.store.published()?);
        trace.note_keys(&mut self.store);
        Ok(trace)
    }

    /// Gives a sign whenever a script is run, and while one runs.
    #[must_use]
    pub fn with_pulse(mut self, pulse: Pulse) -> Self {
        self.pulse = Rc::new(pulse);
        let pulse = self.pulse();
        self.store.listen_to_scripts(move || pulse.beat());
        self
    }

    /// What gives signs that the test goes on.
    pub fn pulse(&self) -> Rc<Pulse> {
        Rc::clone(&self.pulse)
    }

    /// The store below.
    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// The effects that came back and the lines that ran since the last call.
    pub fn reach(&mut self) -> Reach {
        let mut reach = Reach { effects: std::mem::take(&mut self.seen), explored: self.explored, ..Reach::default() };
        for (sha1, counts) in self.store.take_lines() {
            let script = self.catalogue.scripts().find(|script| script.sha1() == sha1);
            let Some(script) = script else { continue };
            let ran = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
            reach.lines.insert(script.label(), ran.map(|(index, count)| (index + 1, count)).collect());
        }
        reach
    }

    /// Whether the test says something about the embedded store only.
    pub fn needs_embedded(&self) -> bool {
        self.needs_embedded
    }

    /// The version of the tested script that runs.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Runs another version of the tested script from here on.
    pub fn choose_version(&mut self, version: u32) -> Result<(), String> {
        let versions = self.catalogue.versions(&self.script);
        if !versions.iter().any(|script| script.version() == version) {
            let known: Vec<_> = versions.iter().map(|script| script.label()).collect();
            return Err(format!("there is no {}@{version}; there is {}", self.script, known.join(", ")));
        }
        self.version = version;
        self.turns = None;
        Ok(())
    }

    /// Lets two versions of the tested script take turns, call by call, until the test chooses one.
    pub fn take_turns(&mut self, turns: Turns) {
        self.version = turns.next;
        self.turns = Some(turns);
    }

    /// Sets what is added to every call that does not say otherwise.
    pub fn set_default(&mut self, word: &str, value: String) -> Result<(), String> {
        let argument = Argument::parse(word).ok_or_else(|| {
            let words: Vec<_> = Argument::ALL.iter().map(|argument| argument.word()).collect();
            format!("no argument is called `{word}`; allowed are {}", words.join(", "))
        })?;
        self.defaults.insert(argument.word(), value);
        Ok(())
    }

    /// Sets the clock, which only the embedded store can.
    pub fn set_clock(&mut self, now_ms: u64) -> Result<(), String> {
        self.needs_embedded = true;
        if self.store.set_clock(now_ms) { Ok(()) } else { Err("the clock of a server cannot be set".to_owned()) }
    }

    /// A copy to come back to, which only the embedded store can give.
    pub fn save(&mut self) -> Result<Saved, String> {
        let turns = self.turns;
        Ok(Saved { moment: self.engine("explored")?.moment(), turns })
    }

    /// Goes back to a copy.
    pub fn return_to(&mut self, saved: &Saved) {
        self.turns = saved.turns;
        if let Some(engine) = self.store.engine() {
            engine.return_to(&saved.moment);
        }
    }

    /// A digest of what a copy would hold; 0 on a server.
    pub fn digest(&mut self) -> u64 {
        let turn = self.turns.map_or(0, |turns| u64::from(turns.next));
        self.store.engine().map_or(0, |engine| engine.digest_of_moment().wrapping_add(turn))
    }

    /// Puts a copy of all keys aside and answers its name, which is a digest of them.
    pub fn copy(&mut self) -> Result<String, String> {
        let (name, snapshot) = (self.digest_keys()?, self.engine("copied")?.snapshot());
        self.copies.insert(name.clone(), snapshot);
        Ok(name)
    }

    /// The store loses what came after a copy.
    pub fn fall_back(&mut self, copy: &str) -> Result<(), String> {
        let snapshot = self.copies.get(copy).cloned().ok_or_else(|| format!("there is no copy `{copy}`"))?;
        self.engine("copied")?.restore(&snapshot);
        Ok(())
    }

    /// A digest of all keys, values and deadlines.
    pub fn digest_keys(&mut self) -> Result<String, String> {
        Ok(format!("{:016x}", self.engine("copied")?.digest()))
    }

    fn engine(&mut self, what: &str) -> Result<&mut Engine, String> {
        self.needs_embedded = true;
        self.store.engine().ok_or_else(|| format!("a server cannot be {what}"))
    }

    /// Notes what an exploration covered.
    pub fn add_explored(&mut self, covered: Explored) {
        self.explored = self.explored + covered;
    }

    /// The name of a key in Redis.
    pub fn key(word: &str, uid: &str) -> Result<String, String> {
        let key = Key::parse(word).ok_or_else(|| {
            let words = Key::ALL.map(Key::word).join(", ");
            format!("no key is called `{word}`; allowed are {words}")
        })?;
        if key.of_user() && uid.is_empty() {
            return Err(format!("the key `{word}` belongs to a user: key(\"{word}\", uid)"));
        }
        Ok(key.name(SHARD, uid))
    }

    /// Runs a script with arguments by name and answers its effects.
    pub fn run(&mut self, name: &str, given: &[(String, String)]) -> Result<Vec<Effect>, String> {
        self.pulse.beat();
        if let Some(turns) = self.turns.as_mut().filter(|_| name == self.script) {
            self.version = turns.take();
        }
        let script = self.find(name)?;
        let uid = given.iter().find(|(word, _)| word == Argument::Uid.word()).map_or("", |(_, value)| value);
        if script.needs_uid() && uid.is_empty() {
            return Err(format!("{} works on a user: `uid` is missing", script.label()));
        }
        let arguments = self.arguments(&script, given)?;
        let argv = script.argv(&arguments).map_err(|error| error.to_string())?;
        let keys = script.keys(SHARD, uid);
        self.load(&script)?;
        let reply = self.evaluate(&script, &keys, &argv);
        let outcome = self.decode(&script, reply);
        if let Some(trace) = &mut self.trace {
            trace.note_run(&script.label(), &outcome);
        }
        let effects = outcome?;
        let seen = self.seen.entry(script.label()).or_default();
        seen.extend(effects.iter().map(|effect| effect_name(effect).to_owned()));
        Ok(effects)
    }

    /// Messages published since the last call, with their effects.
    pub fn published(&mut self) -> Result<Vec<Published>, String> {
        let messages = self.store.published().map_err(|error| error.to_string())?;
        if let Some(trace) = &mut self.trace {
            trace.note_published(&messages);
        }
        messages.into_iter().map(|(channel, payload)| read_message(channel, payload)).collect()
    }

    fn find(&self, name: &str) -> Result<Arc<Script>, String> {
        let versions = self.catalogue.versions(name);
        let tested = versions.iter().find(|script| name == self.script && script.version() == self.version);
        tested.or_else(|| self.catalogue.get(name)).cloned().ok_or_else(|| {
            let names: Vec<_> = self.catalogue.names().collect();
            format!("no script is called `{name}`; there are {}", names.join(", "))
        })
    }

    fn arguments(&mut self, script: &Script, given: &[(String, String)]) -> Result<Arguments<'static>, String> {
        let declared = || script.header.arguments.iter().map(|(argument, _)| *argument);
        let mut arguments = Arguments::new().with(Argument::Version, script.label());
        for argument in declared() {
            if let Some(value) = self.defaults.get(argument.word()) {
                arguments.set(argument, value.clone());
            } else if argument == Argument::NotAfter {
                let now_ms = self.store.now_ms().ok_or("the store does not tell the time")?;
                arguments.set(argument, (now_ms + BUDGET_MS).to_string());
            }
        }
        for (word, value) in given {
            match Argument::parse(word).filter(|argument| declared().any(|other| other == *argument)) {
                Some(argument) => arguments.set(argument, value.clone()),
                None if word == Argument::Uid.word() && script.needs_uid() => {}
                None => {
                    let words: Vec<_> = declared().map(Argument::word).collect();
                    return Err(format!("{} has no `{word}`; allowed are {}", script.label(), words.join(", ")));
                }
            }
        }
        Ok(arguments)
    }

    fn load(&mut self, script: &Script) -> Result<(), String> {
        if self.loaded.contains(script.sha1()) {
            return Ok(());
        }
        match self.store.call(&[b"SCRIPT", b"LOAD", script.text().as_bytes()]) {
            Reply::Bulk(sha1) if sha1 == script.sha1().as_bytes() => {
                self.loaded.insert(script.sha1().to_owned());
                Ok(())
            }
            Reply::Error(error) => Err(located(script, &error)),
            other => Err(format!("{}: SCRIPT LOAD answers {other:?}, not {}", script.label(), script.sha1())),
        }
    }

    /// A script that says it only reads is run by the command that holds it to that.
    fn evaluate(&mut self, script: &Script, keys: &[String], argv: &[String]) -> Reply {
        let command: &[u8] = if script.header.mode == Mode::Read { b"EVALSHA_RO" } else { b"EVALSHA" };
        let count = keys.len().to_string();
        let mut words = vec![command, script.sha1().as_bytes(), count.as_bytes()];
        words.extend(keys.iter().chain(argv).map(|word| word.as_bytes()));
        self.store.call(&words)
    }

    fn decode(&self, script: &Script, reply: Reply) -> Result<Vec<Effect>, String> {
        if let Reply::Error(error) = &reply {
            return Err(located(script, error));
        }
        let effects = item(reply).ok_or("it answers something that is neither text, integer nor list".to_owned());
        let effects = effects.and_then(|item| decode_reply(item).map_err(|error| error.to_string()));
        let effects = effects.map_err(|message| format!("{}: {message}", script.bundle.label()))?;
        match effects.iter().map(effect_name).find(|name| !script.header.effects.contains(name)) {
            Some(name) => {
                Err(format!("{}: returns `{name}`, which its header does not declare", script.bundle.label()))
            }
            None => Ok(effects),
        }
    }
}

fn located(script: &Script, error: &str) -> String {
    let (at, message) = script.locate(error);
    format!("{at}: {message}")
}

/// The word by which headers declare an effect.
pub fn effect_name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Reply { .. } => "reply",
        Effect::Bind { .. } => "bind",
        Effect::Kick { .. } => "kick",
        Effect::Deliver { .. } => "deliver",
        Effect::Call { .. } => "call",
        Effect::Verify => "verify",
        Effect::Close { .. } => "close",
    }
}

fn item(reply: Reply) -> Option<Item> {
    match reply {
        Reply::Integer(number) => Some(Item::Integer(number)),
        Reply::Bulk(bytes) => Some(Item::Text(bytes.into())),
        Reply::Array(items) => items.into_iter().map(item).collect::<Option<_>>().map(Item::List),
        _ => None,
    }
}

fn read_message(channel: Vec<u8>, payload: Vec<u8>) -> Result<Published, String> {
    let channel = String::from_utf8_lossy(&channel).into_owned();
    if channel == SCRIPTS_CHANNEL {
        // It carries a revision, which is for no session.
        return Ok(Published { channel, payload, effects: Vec::new() });
    }
    let wrong = |what: String| format!("the message on {channel} is no list of effects: {what}");
    let json: serde_json::Value = serde_json::from_slice(&payload).map_err(|error| wrong(error.to_string()))?;
    if json.is_object() {
        // A node's message to itself.
        return Ok(Published { channel, payload, effects: Vec::new() });
    }
    let Some(Item::List(items)) = Item::from_json(json) else { return Err(wrong("not an array".to_owned())) };
    let effects = decode_effects(items).map_err(|error| wrong(error.to_string()))?;
    Ok(Published { channel, payload, effects })
}
