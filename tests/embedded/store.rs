//! The stores under test: ours, and Debian's `redis-server` on a unix socket in a folder of its own.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oneseat::embedded::{Server, ServerOptions};
use tempfile::TempDir;

use crate::client::Client;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    Redis,
}

enum Running {
    Embedded(#[allow(dead_code, reason = "it is held for its end")] Server),
    Redis(Child),
}

/// A running store that ends with the value.
pub struct Store {
    pub kind: Kind,
    pub socket: PathBuf,
    running: Running,
    _folder: TempDir,
}

impl Store {
    pub fn start(kind: Kind) -> Store {
        let folder = TempDir::new().expect("a temporary folder");
        let socket = folder.path().join("store.sock");
        let running = match kind {
            Kind::Embedded => {
                let options = ServerOptions { socket: socket.clone(), ..ServerOptions::default() };
                Running::Embedded(Server::start(options).expect("the store starts"))
            }
            Kind::Redis => Running::Redis(start_redis(&folder, &socket)),
        };
        Store { kind, socket, running, _folder: folder }
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.socket)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Running::Redis(child) = &mut self.running {
            child.kill().expect("our own child can be ended");
            child.wait().expect("our own child ends");
        }
    }
}

fn start_redis(folder: &TempDir, socket: &PathBuf) -> Child {
    let child = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no", "--databases", "1", "--unixsocket"])
        .arg(socket)
        .arg("--dir")
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed");
    let deadline = Instant::now() + Duration::from_secs(20);
    while UnixStream::connect(socket).is_err() {
        assert!(Instant::now() < deadline, "redis-server did not open its socket");
        std::thread::yield_now();
    }
    child
}

/// Runs a body against both stores.
pub fn both(body: impl Fn(&Store)) {
    for kind in [Kind::Embedded, Kind::Redis] {
        body(&Store::start(kind));
    }
}

/// Checks a table of lines and replies against both stores. A reply `A | B` is A here and B from Redis 7.0; a reply
/// that ends in `*` only has to begin so.
pub fn check(table: &[(&str, &str)]) {
    both(|store| {
        let mut client = store.client();
        for (line, expected) in table {
            let found = client.line(line);
            assert_reply(store.kind, line, &found, expected);
        }
    });
}

/// The same for scripts without keys.
pub fn check_scripts(table: &[(&str, &str)]) {
    both(|store| {
        let mut client = store.client();
        for (script, expected) in table {
            let found = client.eval(script);
            assert_reply(store.kind, script, &found, expected);
        }
    });
}

pub fn assert_reply(kind: Kind, what: &str, found: &str, expected: &str) {
    let (ours, theirs) = expected.split_once(" | ").unwrap_or((expected, expected));
    let expected = if kind == Kind::Embedded { ours } else { theirs };
    let equal = match expected.strip_suffix('*') {
        Some(head) => found.starts_with(head),
        None => found == expected,
    };
    assert!(equal, "{kind:?}: {what}\n found    {found}\n expected {expected}");
}
