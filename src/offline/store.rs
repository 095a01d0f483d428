//! The store that a test runs on: an engine of its own in this process, or a real server.
//!
//! It offers what both can do. What only the engine can do (setting the clock) answers that it cannot on a server.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use crate::embedded::{Engine, EngineClock, EngineOptions, Reply};
use crate::offline::link::{Link, Target};

/// What the clock of a fresh engine shows, in milliseconds since 1970.
pub const START_MS: u64 = 1_700_000_000_000;
/// Lua instructions that one script may run; far more than a store that others wait for should ever be kept busy.
const SCRIPT_INSTRUCTIONS_MAX: u64 = 5_000_000;
/// Bytes that the Lua of the engine may hold.
const LUA_BYTES_MAX: usize = 64 << 20;
/// Bytes of data that the engine may hold.
const DATA_BYTES_MAX: u64 = 256 << 20;

/// A published message: channel and payload.
pub type Message = (Vec<u8>, Vec<u8>);

/// Where commands go.
pub enum Store {
    /// A fresh engine, strict about keys, with a clock in microseconds that the test sets.
    Embedded { engine: Box<Engine>, clock: Rc<Cell<u64>> },
    /// A server that has been emptied, and a second connection that listens to all channels.
    Server { link: Link, ears: Link },
}

impl Store {
    /// An engine of its own, whose replies to scripts come in an order that the seed decides where Redis leaves it open.
    pub fn embedded(seed: u64) -> Self {
        let clock = Rc::new(Cell::new(START_MS * 1000));
        let engine = Engine::new(EngineOptions {
            clock: EngineClock::Manual(Rc::clone(&clock)),
            strict: true,
            capture_published: true,
            script_instructions_max: SCRIPT_INSTRUCTIONS_MAX,
            script_ms_max: 0,
            lua_bytes_max: LUA_BYTES_MAX,
            count_lines: true,
            memory_bytes_max: DATA_BYTES_MAX,
            shuffle_seed: Some(seed),
        });
        Self::Embedded { engine: Box::new(engine), clock }
    }

    /// Connects to a server and empties its database.
    pub fn server(target: &Target) -> io::Result<Self> {
        let mut link = Link::open(target)?;
        link.call(&[b"FLUSHDB"])?;
        let mut ears = Link::open(target)?;
        ears.call(&[b"PSUBSCRIBE", b"*"])?;
        Ok(Self::Server { link, ears })
    }

    /// Runs one command. A connection that breaks answers as an error of the command.
    pub fn call(&mut self, words: &[&[u8]]) -> Reply {
        match self {
            Store::Embedded { engine, .. } => engine.execute(words),
            Store::Server { link, .. } => {
                link.call(words).unwrap_or_else(|error| Reply::Error(format!("LINK {error}")))
            }
        }
    }

    /// Messages published since the last call.
    pub fn published(&mut self) -> io::Result<Vec<Message>> {
        match self {
            Store::Embedded { engine, .. } => Ok(engine.take_published()),
            Store::Server { ears, .. } => heard(ears),
        }
    }

    /// How often each line of each script ran since the last call, by the script's digest; a server does not tell.
    pub fn take_lines(&mut self) -> BTreeMap<String, Vec<u64>> {
        match self {
            Store::Embedded { engine, .. } => engine.take_lines(),
            Store::Server { .. } => BTreeMap::new(),
        }
    }

    /// Has `listener` called from time to time while a script runs here; a server does not tell.
    pub fn listen_to_scripts(&mut self, listener: impl Fn() + 'static) {
        if let Store::Embedded { engine, .. } = self {
            engine.listen_to_scripts(listener);
        }
    }

    /// Sets the clock; false where that cannot be done.
    pub fn set_clock(&mut self, now_ms: u64) -> bool {
        match self {
            Store::Embedded { clock, .. } => {
                clock.set(now_ms.saturating_mul(1000));
                true
            }
            Store::Server { .. } => false,
        }
    }

    /// The engine in this process; none on a server.
    pub fn engine(&mut self) -> Option<&mut Engine> {
        match self {
            Store::Embedded { engine, .. } => Some(engine),
            Store::Server { .. } => None,
        }
    }

    /// Lets a millisecond pass; on a server, waits for it.
    pub fn tick(&mut self) -> Option<u64> {
        let before = self.now_ms()?;
        self.set_clock(before + 1);
        loop {
            let now = self.now_ms()?;
            if now > before {
                return Some(now);
            }
        }
    }

    /// What the clock shows, in milliseconds.
    pub fn now_ms(&mut self) -> Option<u64> {
        let Reply::Array(parts) = self.call(&[b"TIME"]) else { return None };
        let [Reply::Bulk(seconds), Reply::Bulk(micros)] = parts.as_slice() else { return None };
        let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<u64>().ok();
        Some(number(seconds)? * 1000 + number(micros)? / 1000)
    }
}

/// Everything that reached the listening connection. A PING behind it marks the end: what was published before it was
/// sent stands before its answer.
fn heard(ears: &mut Link) -> io::Result<Vec<Message>> {
    ears.send(&[b"PING"])?;
    let mut messages = Vec::new();
    loop {
        let Reply::Array(mut parts) = ears.read()? else { continue };
        match (parts.first(), parts.len()) {
            (Some(Reply::Bulk(kind)), 2) if kind == b"pong" => return Ok(messages),
            (Some(Reply::Bulk(kind)), 4) if kind == b"pmessage" => {
                if let (Some(Reply::Bulk(payload)), Some(Reply::Bulk(channel))) = (parts.pop(), parts.pop()) {
                    messages.push((channel, payload));
                }
            }
            _ => {}
        }
    }
}
