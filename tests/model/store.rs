//! The real scripts on the embedded engine, in this process, with a clock that the walk sets.

use std::cell::Cell;
use std::rc::Rc;

use oneseat::embedded::{Engine, EngineClock, EngineOptions, Reply};
use oneseat::id::Uid;
use oneseat::script::effect::decode_reply;
use oneseat::script::{Argument, Arguments, Catalogue, Effect, Item, Key, Shard};

/// Users are spread over this many shards.
pub const SHARDS: u16 = 2;

/// One entry of the roster.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    pub uid: String,
    pub class: String,
    pub node: String,
    pub incarnation: u64,
    pub sid: String,
}

pub struct Store {
    pub engine: Engine,
    catalogue: Catalogue,
    clock: Rc<Cell<u64>>,
}

impl Store {
    pub fn new(now_ms: u64) -> Self {
        let clock = Rc::new(Cell::new(now_ms * 1000));
        let options =
            EngineOptions { clock: EngineClock::Manual(Rc::clone(&clock)), strict: true, ..Default::default() };
        let catalogue = Catalogue::embedded().expect("the built-in scripts are well-formed");
        let mut store = Self { engine: Engine::new(options), catalogue, clock };
        store.load();
        store
    }

    fn load(&mut self) {
        for script in self.catalogue.active() {
            let reply = self.engine.execute(&[b"SCRIPT", b"LOAD", script.text().as_bytes()]);
            assert_eq!(reply, Reply::Bulk(script.sha1().as_bytes().to_vec()), "{}", script.label());
        }
    }

    pub fn set_clock(&mut self, now_ms: u64) {
        self.clock.set(now_ms * 1000);
    }

    /// Forgets every key; scripts stay loaded.
    pub fn lose_everything(&mut self) {
        self.engine.execute(&[b"FLUSHALL"]);
    }

    /// Runs a script for a user.
    pub fn run(&mut self, name: &str, uid: &str, arguments: Arguments<'_>) -> Vec<Effect> {
        let shard = Shard::of(&Uid::parse(uid).expect("a uid"), SHARDS);
        self.run_on(name, shard, uid, arguments)
    }

    /// Runs a script on a shard.
    pub fn run_on(&mut self, name: &str, shard: Shard, uid: &str, mut arguments: Arguments<'_>) -> Vec<Effect> {
        let script = self.catalogue.get(name).expect("a script of that name");
        for (argument, value) in [
            (Argument::ChannelPrefix, "os:node:"),
            (Argument::TrailMax, "4"),
            (Argument::Address, "a:1"),
            (Argument::IntervalMs, "10000"),
            (Argument::LimitMs, "60000"),
        ] {
            arguments.set(argument, value);
        }
        arguments.set(Argument::Version, script.label());
        arguments.set(Argument::Uid, uid.to_owned());
        let keys = script.keys(shard, uid);
        let argv = script.argv(&arguments).expect("integers where the header says so");
        let count = keys.len().to_string();
        let mut words: Vec<&[u8]> = vec![b"EVALSHA", script.sha1().as_bytes(), count.as_bytes()];
        words.extend(keys.iter().chain(&argv).map(|word| word.as_bytes()));
        let reply = self.engine.execute(&words);
        let item = item(reply).unwrap_or_else(|error| panic!("{:?}", script.locate(&error)));
        decode_reply(item).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Every entry of the roster, over all shards.
    pub fn roster(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for shard in (0..SHARDS).map(Shard) {
            let key = Key::Roster.name(shard, "");
            let Reply::Array(members) = self.engine.execute(&[b"ZRANGE", key.as_bytes(), b"0", b"-1"]) else {
                panic!("ZRANGE answers an array");
            };
            entries.extend(members.into_iter().map(entry));
        }
        entries.sort();
        entries
    }
}

fn entry(member: Reply) -> Entry {
    let Reply::Bulk(bytes) = member else { panic!("members are texts") };
    let text = String::from_utf8(bytes).expect("entries are texts");
    let (node, rest) = text.split_once('#').expect("an entry begins with its node");
    let [incarnation, uid, class, sid] = rest.split('|').collect::<Vec<_>>()[..] else { panic!("{text}") };
    let incarnation = incarnation.parse().expect("an incarnation is a number");
    let [uid, class, node, sid] = [uid, class, node, sid].map(str::to_owned);
    Entry { uid, class, node, incarnation, sid }
}

fn item(reply: Reply) -> Result<Item, String> {
    match reply {
        Reply::Integer(number) => Ok(Item::Integer(number)),
        Reply::Bulk(bytes) => Ok(Item::Text(bytes.into())),
        Reply::Array(items) => items.into_iter().map(item).collect::<Result<_, _>>().map(Item::List),
        Reply::Error(text) => Err(text),
        other => Err(format!("{other:?} is no effect")),
    }
}
