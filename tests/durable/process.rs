//! The real binary killed in the middle of its work.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use crate::client::Client;
use crate::dice::Dice;
use crate::store::wait_until;

fn serve(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_oneseat"))
        .env("ONESEAT_DATA__DIR", folder.join("data"))
        .env("ONESEAT_GATEWAY__LISTEN", "127.0.0.1:0")
        .env("ONESEAT_ADMIN__LISTEN", "127.0.0.1:0")
        .env("ONESEAT_DATA__REWRITE_BYTES_MIN", "30000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts")
}

fn connect(folder: &Path) -> Client {
    let socket = folder.join("data/redis.sock");
    wait_until("the store listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    Client::connect(&socket)
}

#[test]
fn kill_9_under_load_loses_nothing_acknowledged() {
    let folder = TempDir::new().expect("a temporary folder");
    let seed = std::env::var("ONESEAT_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut dice = Dice::new(seed);
    let acknowledged = AtomicU64::new(0);
    for life in 0..8 {
        let mut child = serve(folder.path());
        let mut client = connect(folder.path());
        let found = client.line("LLEN list").trim_start_matches(':').parse::<u64>().expect("a length");
        let expected = acknowledged.load(Ordering::SeqCst);
        assert!(found == expected || found == expected + 1, "ONESEAT_SEED={seed}, life {life}: {found} of {expected}");
        assert_eq!(client.line("GET counter"), if found == 0 { "nil".into() } else { format!("\"{found}\"") });
        acknowledged.store(found, Ordering::SeqCst);
        let kill_at = found + 50 + dice.below(300);
        let socket = folder.path().join("data/redis.sock");
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut stream = Stream::connect(&socket);
                while stream.write_one() {
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
            });
            wait_until("the load runs", || acknowledged.load(Ordering::SeqCst) >= kill_at);
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child ends");
            writer.join().expect("the writer ends when the store does");
        });
    }
}

/// A connection that expects to be cut off.
struct Stream(std::os::unix::net::UnixStream);

impl Stream {
    fn connect(socket: &Path) -> Stream {
        Stream(std::os::unix::net::UnixStream::connect(socket).expect("the store listens"))
    }

    /// Runs one script; false when the store is gone.
    fn write_one(&mut self) -> bool {
        use std::io::{Read, Write};
        let script = "redis.call('INCR','counter') return redis.call('RPUSH','list','x')";
        let request = format!("*3\r\n$4\r\nEVAL\r\n${}\r\n{script}\r\n$1\r\n0\r\n", script.len());
        let mut reply = [0; 64];
        self.0.write_all(request.as_bytes()).is_ok() && matches!(self.0.read(&mut reply), Ok(count) if count > 0)
    }
}
