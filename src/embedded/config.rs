//! Settings that CONFIG GET and CONFIG SET know.
//!
//! Those that the engine obeys are fields of their own; the names that clients and Redis' test suite merely set and
//! read back are kept as text.

use std::collections::BTreeMap;

use super::aof::Fsync;
use super::fault::Fault;
use super::keyspace::class;
use super::number;

/// Names that are remembered but change nothing here, with their first values.
const REMEMBERED: &[(&str, &str)] = &[
    ("databases", "1"),
    ("hash-max-listpack-entries", "128"),
    ("hash-max-listpack-value", "64"),
    ("hash-max-ziplist-entries", "128"),
    ("hash-max-ziplist-value", "64"),
    ("list-compress-depth", "0"),
    ("list-max-listpack-size", "-2"),
    ("list-max-ziplist-size", "-2"),
    ("maxmemory-policy", "noeviction"),
    ("save", ""),
    ("set-max-intset-entries", "512"),
    ("set-max-listpack-entries", "128"),
    ("set-max-listpack-value", "64"),
    ("stream-node-max-bytes", "4096"),
    ("stream-node-max-entries", "100"),
    ("timeout", "0"),
    ("zset-max-listpack-entries", "128"),
    ("zset-max-listpack-value", "64"),
    ("zset-max-ziplist-entries", "128"),
    ("zset-max-ziplist-value", "64"),
];

/// Letters of `notify-keyspace-events` with their classes.
const LETTERS: &[(char, u16)] = &[
    ('g', class::GENERIC),
    ('$', class::STRING),
    ('l', class::LIST),
    ('s', class::SET),
    ('h', class::HASH),
    ('z', class::ZSET),
    ('x', class::EXPIRED),
    ('e', 1 << 7),
    ('t', class::STREAM),
    ('m', 1 << 9),
    ('d', 1 << 10),
    ('n', class::NEW),
    ('K', class::KEYSPACE),
    ('E', class::KEYEVENT),
];

/// The classes that the letter A stands for.
const ALL: u16 = 0b101_1111_1111 & !(1 << 9);

/// The settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes of data past which writes are refused; 0 for no limit.
    pub maxmemory: u64,
    /// Milliseconds after which other clients of a long script are told that the store is busy; 0 for never.
    pub busy_reply_threshold_ms: u64,
    /// Whether there is an append-only file; it cannot be changed while the store runs.
    pub append_only: bool,
    /// When it is synced.
    pub fsync: Fsync,
    /// Growth in per cent, and least size in bytes, at which it is rewritten by itself.
    pub rewrite_percent: u64,
    pub rewrite_bytes_min: u64,
    /// Microseconds from which on a request stands in the SLOWLOG; negative for never. And how many stand there.
    pub slowlog_us: i64,
    pub slowlog_length_max: u64,
    /// Bytes that may wait for a client that does not read.
    pub output_bytes_max: usize,
    pub notify: u16,
    remembered: BTreeMap<&'static str, String>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            maxmemory: 0,
            busy_reply_threshold_ms: 5000,
            append_only: false,
            fsync: Fsync::default(),
            rewrite_percent: 100,
            rewrite_bytes_min: 64 * 1024 * 1024,
            slowlog_us: 10_000,
            slowlog_length_max: 128,
            output_bytes_max: 256 * 1024 * 1024,
            notify: 0,
            remembered: REMEMBERED.iter().map(|(name, value)| (*name, (*value).to_string())).collect(),
        }
    }
}

impl Config {
    /// All names with their values.
    pub fn entries(&self) -> Vec<(&str, String)> {
        let mut entries: Vec<(&str, String)> =
            self.remembered.iter().map(|(name, value)| (*name, value.clone())).collect();
        entries.push(("maxmemory", self.maxmemory.to_string()));
        entries.push(("busy-reply-threshold", self.busy_reply_threshold_ms.to_string()));
        entries.push(("lua-time-limit", self.busy_reply_threshold_ms.to_string()));
        entries.push(("appendonly", yes_or_no(self.append_only).to_string()));
        entries.push(("appendfsync", self.fsync.name().to_string()));
        entries.push(("auto-aof-rewrite-percentage", self.rewrite_percent.to_string()));
        entries.push(("auto-aof-rewrite-min-size", self.rewrite_bytes_min.to_string()));
        entries.push(("slowlog-log-slower-than", self.slowlog_us.to_string()));
        entries.push(("slowlog-max-len", self.slowlog_length_max.to_string()));
        entries.push(("notify-keyspace-events", notify_letters(self.notify)));
        entries
    }

    /// A setting that is merely remembered.
    pub fn remembered(&self, name: &str) -> Option<&str> {
        self.remembered.get(name).map(String::as_str)
    }

    /// The error for a value that a name cannot take.
    pub fn refusal(name: &str, why: &str) -> Fault {
        Fault::new(format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"))
    }

    /// Sets one name; names that are not known are refused as Redis refuses them.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Fault> {
        let text = String::from_utf8_lossy(value).into_owned();
        let bad = |why| Config::refusal(name, why);
        match name {
            "maxmemory" => {
                self.maxmemory = parse_memory(&text).ok_or_else(|| bad("argument must be a memory value"))?;
            }
            "auto-aof-rewrite-min-size" => {
                self.rewrite_bytes_min = parse_memory(&text).ok_or_else(|| bad("argument must be a memory value"))?;
            }
            "auto-aof-rewrite-percentage" => self.rewrite_percent = whole_number(value).map_err(bad)?,
            "busy-reply-threshold" | "lua-time-limit" => {
                self.busy_reply_threshold_ms = whole_number(value).map_err(bad)?;
            }
            "slowlog-log-slower-than" => {
                let number = number::parse_i64(value).filter(|number| *number >= -1);
                self.slowlog_us = number.ok_or_else(|| bad(NOT_WHOLE))?;
            }
            "slowlog-max-len" => self.slowlog_length_max = whole_number(value).map_err(bad)?,
            "appendonly" if text != yes_or_no(self.append_only) => {
                return Err(bad("it is given at the start and cannot be changed while the store runs"));
            }
            "appendonly" => {}
            "appendfsync" => {
                let named = Fsync::named(&text.to_ascii_lowercase());
                self.fsync =
                    named.ok_or_else(|| bad("argument(s) must be one of the following: everysec, always, no"))?;
            }
            "maxmemory-policy" if !text.eq_ignore_ascii_case("noeviction") => {
                return Err(bad("nothing is ever evicted here, so it can only be noeviction"));
            }
            "notify-keyspace-events" => {
                self.notify =
                    parse_letters(&text).ok_or_else(|| bad("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."))?;
            }
            _ => match self.remembered.get_mut(name) {
                Some(old) => *old = text,
                None => {
                    return Err(Fault::new(format!(
                        "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
                    )));
                }
            },
        }
        Ok(())
    }
}

fn yes_or_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

const NOT_WHOLE: &str = "argument couldn't be parsed into an integer";

fn whole_number(value: &[u8]) -> Result<u64, &'static str> {
    let number = number::parse_i64(value).and_then(|number| u64::try_from(number).ok());
    number.ok_or(NOT_WHOLE)
}

/// Reads `100`, `100k`, `100kb`, `100mb`, `1g` and so on as bytes.
fn parse_memory(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &lower[digits.len()..] {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn parse_letters(text: &str) -> Option<u16> {
    text.chars().try_fold(0, |classes, letter| {
        if letter == 'A' {
            return Some(classes | ALL);
        }
        LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, class)| classes | class)
    })
}

/// The letters of some classes, in the order in which Redis prints them.
fn notify_letters(classes: u16) -> String {
    let all = classes & ALL == ALL;
    let mut text = if all { "A".to_string() } else { String::new() };
    let shown = LETTERS.iter().filter(|(_, class)| classes & class != 0 && !(all && ALL & class != 0));
    text.extend(shown.map(|(letter, _)| *letter));
    text
}
