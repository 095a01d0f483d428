//! A store on some disk, and what is in it as text.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oneseat::embedded::aof::disk::Disk;
use oneseat::embedded::aof::{AppendOnly, Fsync};
use oneseat::embedded::{Server, ServerError, ServerOptions};
use tempfile::TempDir;

use crate::client::Client;

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running store; it ends with the value.
pub struct Store {
    pub socket: PathBuf,
    server: Option<Server>,
    _folder: TempDir,
}

impl Store {
    /// Starts on a disk of the test's own.
    pub fn on(disk: &(impl Disk + Clone + 'static), fsync: Fsync) -> Result<Store, ServerError> {
        let options = AppendOnly { fsync, disk: Arc::new(disk.clone()), ..AppendOnly::new(PathBuf::from("store")) };
        Store::with(options)
    }

    /// Starts on a folder of this machine.
    pub fn at(folder: &Path) -> Result<Store, ServerError> {
        Store::with(AppendOnly::new(folder.to_path_buf()))
    }

    pub fn with(options: AppendOnly) -> Result<Store, ServerError> {
        let folder = TempDir::new().expect("a temporary folder");
        let socket = folder.path().join("store.sock");
        let options = ServerOptions { socket: socket.clone(), append_only: Some(options), ..ServerOptions::default() };
        Ok(Store { socket, server: Some(Server::start(options)?), _folder: folder })
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.socket)
    }

    /// Ends it as an operator does.
    pub fn stop(mut self) {
        drop(self.server.take());
    }
}

/// Every key with its type, value and deadline, in order; two stores with the same text hold the same.
pub fn content(client: &mut Client) -> Vec<String> {
    let keys = client.line("EVAL \"local k = redis.call('keys', '*') table.sort(k) return k\" 0");
    let keys = keys.trim_matches(['[', ']']).split(", ").filter(|key| !key.is_empty());
    let keys: Vec<&str> = keys.map(|key| key.trim_matches('"')).collect();
    keys.into_iter().filter_map(|key| describe(client, key)).collect()
}

/// A key as one text; none where it has expired since its name was read.
fn describe(client: &mut Client, key: &str) -> Option<String> {
    let kind = client.call(&["TYPE", key]);
    let questions: &[&[&str]] = match kind.as_str() {
        "+string" => &[&["GET", key]],
        "+list" => &[&["LRANGE", key, "0", "-1"]],
        "+zset" => &[&["ZRANGE", key, "0", "-1", "WITHSCORES"]],
        "+stream" => &[&["XRANGE", key, "-", "+"], &["XINFO", "STREAM", key]],
        "+set" => &[&["SMEMBERS", key]],
        _ => &[&["HGETALL", key]],
    };
    let answers: Vec<String> = questions.iter().map(|question| client.call(question)).collect();
    // Asked last: what is there now was there all the time.
    let deadline = client.call(&["PEXPIRETIME", key]);
    if deadline.ends_with("-2") {
        return None;
    }
    let value = match (kind.as_str(), answers.as_slice()) {
        ("+zset", [members]) => scores(members),
        ("+stream", [entries, info]) => format!("{entries}{}", stream_facts(info)),
        ("+set", [members]) => sorted(members, 1),
        ("+hash", [fields]) => sorted(fields, 2),
        (_, answers) => answers.concat(),
    };
    Some(format!("{key} {kind} {value} {deadline}"))
}

/// What a stream remembers beside its entries; how a server lays it out in memory is its own affair.
fn stream_facts(info: &str) -> String {
    let from = info.find("\"last-generated-id\"").expect("XINFO tells it");
    let to = info.find("\"recorded-first-entry-id\"").unwrap_or(info.len());
    info[from..to].to_string()
}

/// Members with their scores as numbers: Redis 7.0 prints some with more digits than it takes to tell them apart.
fn scores(array: &str) -> String {
    let items: Vec<&str> = array.trim_matches(['[', ']']).split(", ").collect();
    let pair = |pair: &[&str]| (pair[0].to_string(), pair[1].trim_matches('"').parse::<f64>().expect("a score"));
    format!("{:?}", items.chunks(2).map(pair).collect::<Vec<_>>())
}

/// The elements of a printed array without their order, `width` at a time.
fn sorted(array: &str, width: usize) -> String {
    let items: Vec<&str> = array.trim_start_matches('~').trim_matches(['[', ']']).split(", ").collect();
    let mut rows: Vec<&[&str]> = items.chunks(width).collect();
    rows.sort();
    format!("{rows:?}")
}

/// Waits until a condition holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// Commands that make keys of every type and shape, deadlines included.
pub const EVERYTHING: &[&str] = &[
    "SET text value",
    "SET number 12345678901",
    "SET expiring soon PX 10000000",
    "SETEX setex 20000 x",
    "INCRBYFLOAT float 3.1",
    "SET float2 3.0e3",
    "INCRBYFLOAT float2 0.25",
    "SETRANGE padded 5 end",
    "APPEND text \"-more\"",
    "GETEX number PXAT 4102444800000",
    "RPUSH list a b c d e f",
    "LPOP list 2",
    "LINSERT list BEFORE e x",
    "LMOVE list list2 LEFT RIGHT",
    "HSET hash field value other 1",
    "HINCRBYFLOAT hash float 0.1",
    "HINCRBY hash count 7",
    "HDEL hash other",
    "SADD set one two three four five",
    "SPOP set",
    "SPOP set 2",
    "SADD numbers 1 2 3 -4",
    "SMOVE numbers moved 3",
    "ZADD scores 1 one 2.5 two inf most -inf least 1e-7 tiny 12345678901234567 large",
    "ZINCRBY scores 0.1 one",
    "ZADD ties 0 b 0 a 0 c",
    "ZPOPMIN scores",
    "ZRANGESTORE ranged scores 0 -1",
    "XADD stream * a 1",
    "XADD stream * b 2 c 3",
    "XADD stream MAXLEN ~ 100 * d 4",
    "XADD emptied 5-1 f v",
    "XDEL emptied 5-1",
    "XADD trimmed 7-* f v",
    "XADD trimmed 7-* f v",
    "XTRIM trimmed MAXLEN 1",
    "EXPIRE hash 10000",
    "PEXPIREAT list 4102444800000",
    "EXPIRE set 20000",
    "PERSIST set",
    "COPY text copied",
    "RENAME setex renamed",
    "DEL padded",
    "EXPIRE numbers -1",
    "EVAL \"redis.call('set','s1','x') redis.call('rpush','s2','1','2') return redis.call('spop','set')\" 0",
];
