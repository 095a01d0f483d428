//! The same files under our engine and under Debian's `redis-server`, in both directions, with every type.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::client::Client;
use crate::store::{EVERYTHING, Store, content, wait_until};

/// A real server on an append-only folder; it ends with the value.
pub struct Redis {
    socket: PathBuf,
    child: Child,
}

impl Redis {
    /// `folder` holds `appendonlydir`.
    pub fn start(folder: &Path) -> Redis {
        let socket = folder.join("redis.sock");
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "yes", "--aof-use-rdb-preamble", "no"])
            .args(["--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        wait_until("redis-server listens", || UnixStream::connect(&socket).is_ok());
        let redis = Redis { socket, child };
        wait_until("redis-server has loaded", || !redis.client().line("DBSIZE").starts_with("-LOADING"));
        redis
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.socket)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.client().send(&[b"SHUTDOWN"]);
        // It may be gone already; waiting for it is what counts.
        let _ = self.child.wait();
    }
}

fn fill(client: &mut Client) {
    for line in EVERYTHING {
        let reply = client.line(line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    // Larger than what fits one command of a rewrite, and every byte there is.
    for number in 0..300 {
        client.line(&format!("RPUSH long item-{number}"));
        client.line(&format!("SADD many member-{number}"));
        client.line(&format!("HSET wide field-{number} value-{number}"));
        client.line(&format!("ZADD ranks {}.5 member-{number}", number * 7));
    }
    let every: Vec<u8> = (0..=255).collect();
    client.send(&[b"EVAL", b"redis.call('SET', KEYS[1], string.rep(ARGV[1], 2))", b"1", b"bytes", &every]);
    client.reply();
}

fn wait_for_rewrite(client: &mut Client) {
    client.line("BGREWRITEAOF");
    wait_until("the rewrite ends", || {
        let info = client.line("INFO persistence");
        info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
    });
}

fn redis_reads_ours(with_rewrite: bool) {
    let folder = TempDir::new().expect("a temporary folder");
    let store = Store::at(&folder.path().join("appendonlydir")).expect("it starts");
    let mut client = store.client();
    fill(&mut client);
    if with_rewrite {
        wait_for_rewrite(&mut client);
        client.line("RPUSH long after");
    }
    let ours = content(&mut client);
    store.stop();
    let redis = Redis::start(folder.path());
    assert_eq!(content(&mut redis.client()), ours);
    redis.client().line("SET back again");
    drop(redis);
    let store = Store::at(&folder.path().join("appendonlydir")).expect("ours starts on it again");
    assert_eq!(store.client().line("GET back"), "\"again\"");
    assert_eq!(content(&mut store.client()).len(), ours.len() + 1);
}

#[test]
fn a_real_redis_starts_on_our_file() {
    redis_reads_ours(false);
}

#[test]
fn a_real_redis_starts_on_our_rewritten_file() {
    redis_reads_ours(true);
}

fn we_read_theirs(with_rewrite: bool) {
    let folder = TempDir::new().expect("a temporary folder");
    let redis = Redis::start(folder.path());
    let mut client = redis.client();
    fill(&mut client);
    if with_rewrite {
        wait_for_rewrite(&mut client);
        client.line("RPUSH long after");
    }
    let theirs = content(&mut client);
    drop(redis);
    let store = Store::at(&folder.path().join("appendonlydir")).expect("ours starts on its file");
    assert_eq!(content(&mut store.client()), theirs);
}

#[test]
fn ours_starts_on_a_file_of_a_real_redis() {
    we_read_theirs(false);
}

#[test]
fn ours_starts_on_a_rewritten_file_of_a_real_redis() {
    we_read_theirs(true);
}

#[test]
fn redis_check_aof_finds_our_files_sound() {
    let folder = TempDir::new().expect("a temporary folder");
    let store = Store::at(folder.path()).expect("it starts");
    fill(&mut store.client());
    wait_for_rewrite(&mut store.client());
    store.client().line("EVAL \"redis.call('incr','a') redis.call('incr','b')\" 0");
    store.stop();
    let output = Command::new("redis-check-aof")
        .arg(folder.path().join("appendonly.aof.manifest"))
        .output()
        .expect("redis-check-aof is installed with redis-server");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("All AOF files and manifest are valid"), "{text}");
}
