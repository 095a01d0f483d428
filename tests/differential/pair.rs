//! Our store and a real one side by side: a case is sent to both, and their answers and keys are compared.

use std::fmt::{self, Display, Formatter};
use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oneseat::embedded::{Server, ServerOptions};
use tempfile::TempDir;

use crate::case::{Case, Step};
use crate::rule;
use crate::value::Value;

/// Clients of each store.
const CLIENTS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(20);

/// A store's connections.
struct Side {
    clients: Vec<BufReader<UnixStream>>,
}

impl Side {
    fn connect(socket: &Path) -> Side {
        let deadline = Instant::now() + PATIENCE;
        let connect = || loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < deadline, "a store does not listen: {error}"),
            }
            std::thread::yield_now();
        };
        let client = |_| {
            let stream = connect();
            stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
            BufReader::new(stream)
        };
        Side { clients: (0..CLIENTS).map(client).collect() }
    }

    fn call(&mut self, client: usize, words: &[impl AsRef<[u8]>]) -> Value {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.as_ref().len()).as_bytes());
            request.extend_from_slice(word.as_ref());
            request.extend_from_slice(b"\r\n");
        }
        let stream = &mut self.clients[client];
        let reply = stream.get_mut().write_all(&request).and_then(|()| Value::read(stream));
        reply.unwrap_or_else(|error| Value::Line(format!("-the connection ended: {error}").into_bytes()))
    }

    fn reset(&mut self) {
        for client in 0..CLIENTS {
            self.call(client, &["RESET"]);
        }
        self.call(1, &["HELLO", "3"]);
        for command in [["FLUSHALL"].as_slice(), &["SCRIPT", "FLUSH"]] {
            let reply = self.call(0, command);
            assert!(!reply.is_error(), "a store is gone: {reply}");
        }
    }

    /// Type, time to live and content of every key.
    fn keys(&mut self) -> Vec<(Vec<u8>, Vec<Value>)> {
        for client in 0..CLIENTS {
            self.call(client, &["DISCARD"]);
        }
        let mut names: Vec<Vec<u8>> =
            self.call(0, &["KEYS", "*"]).items().iter().map(|key| key.bytes().to_vec()).collect();
        names.sort();
        let content = |side: &mut Side, key: &[u8]| {
            let kind = side.call(0, &[b"TYPE".as_slice(), key]);
            let ask: &[&[u8]] = match kind.bytes() {
                b"string" => &[b"GET", key],
                b"hash" => &[b"HGETALL", key],
                b"list" => &[b"LRANGE", key, b"0", b"-1"],
                b"set" => &[b"SMEMBERS", key],
                b"zset" => &[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
                _ => &[b"XRANGE", key, b"-", b"+"],
            };
            let value = rule::normal(ask[0], side.call(0, ask));
            let expires = rule::normal(b"PTTL", side.call(0, &[b"PTTL".as_slice(), key]));
            vec![kind, value, expires]
        };
        names.into_iter().map(|key| (key.clone(), content(self, &key))).collect()
    }
}

/// Where the two differ.
pub struct Difference {
    place: String,
    ours: String,
    theirs: String,
}

impl Display for Difference {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{}\n ours  {}\n redis {}", self.place, self.ours, self.theirs)
    }
}

pub struct Pair {
    ours: Side,
    theirs: Side,
    redis: Child,
    _server: Server,
    _folder: TempDir,
}

impl Pair {
    pub fn start() -> Pair {
        let folder = TempDir::new().expect("a temporary folder");
        let (own, real) = (folder.path().join("own.sock"), folder.path().join("real.sock"));
        let server =
            Server::start(ServerOptions { socket: own.clone(), ..ServerOptions::default() }).expect("the store starts");
        let redis = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--databases", "1", "--unixsocket"])
            .arg(&real)
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        Pair { ours: Side::connect(&own), theirs: Side::connect(&real), redis, _server: server, _folder: folder }
    }

    /// Runs a case from an empty store; the first difference.
    pub fn run(&mut self, case: &Case) -> Option<Difference> {
        self.ours.reset();
        self.theirs.reset();
        let mut queues: [Vec<&Step>; CLIENTS] = Default::default();
        for (index, step) in case.steps.iter().enumerate() {
            let (ours, theirs) = (self.ours.call(step.client, &step.words), self.theirs.call(step.client, &step.words));
            let queue = &mut queues[step.client];
            let name = step.words.first().map(Vec::as_slice).unwrap_or_default();
            let normal = |reply: Value| match (name, reply) {
                // The elements of EXEC are the replies of what was queued.
                (b"EXEC", Value::List(mark, items)) => {
                    let names = queue.iter().map(|step| step.words[0].as_slice());
                    Value::List(mark, names.zip(items).map(|(name, item)| rule::normal(name, item)).collect())
                }
                (name, reply) => rule::normal(name, reply),
            };
            let is_queued = ours == Value::Line(b"+QUEUED".to_vec());
            let (ours, theirs) = (normal(ours), normal(theirs));
            if is_queued {
                queue.push(step);
            } else if matches!(name, b"EXEC" | b"DISCARD") {
                queue.clear();
            }
            if !rule::agree(&ours, &theirs) {
                let place = format!("step {index}, {}", name.escape_ascii());
                return Some(Difference { place, ours: ours.to_string(), theirs: theirs.to_string() });
            }
        }
        self.compare_keys()
    }

    fn compare_keys(&mut self) -> Option<Difference> {
        let (ours, theirs) = (self.ours.keys(), self.theirs.keys());
        if ours == theirs {
            return None;
        }
        let print = |keys: Vec<(Vec<u8>, Vec<Value>)>| {
            let key = |(key, content): (Vec<u8>, Vec<Value>)| {
                format!("{} {}", key.escape_ascii(), Value::List(b'*', content))
            };
            keys.into_iter().map(key).collect::<Vec<_>>().join("; ")
        };
        Some(Difference { place: "the keys in the end".into(), ours: print(ours), theirs: print(theirs) })
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.redis.kill().expect("our own child can be ended");
        self.redis.wait().expect("our own child ends");
    }
}
