//! The stores that a server can stand on, and a `redis-server` of the test's own.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::resp::Resp;
use super::wait::wait_until;

/// Which store a test body runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreKind {
    Embedded,
    Redis,
}

/// A `redis-server` on a unix socket in a folder of its own. It keeps nothing on disk: killed, it forgets.
pub struct RedisServer {
    folder: TempDir,
    child: Child,
}

impl RedisServer {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let child = launch(&folder);
        let server = Self { folder, child };
        server.wait();
        server
    }

    /// What `redis.url` has to say.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    pub fn socket(&self) -> PathBuf {
        socket(&self.folder)
    }

    pub fn look(&self) -> Resp {
        Resp::connect(&self.socket()).expect("redis-server listens")
    }

    /// Runs commands in the form of the protocol, as `redis-cli --pipe` does.
    pub fn pipe(&self, commands: &[u8]) {
        let mut child = Command::new("redis-cli")
            .args(["--pipe", "-s"])
            .arg(self.socket())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-cli is installed; tests/run.sh does it");
        child.stdin.take().expect("it was asked for").write_all(commands).expect("redis-cli reads");
        let output = child.wait_with_output().expect("redis-cli ends");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("errors: 0"), "{text}");
    }

    /// Ends it without a warning, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("a killed child ends");
    }

    /// Starts it again on the same socket, empty.
    pub fn start_again(&mut self) {
        self.kill();
        // The socket file of the dead one would only delay the new one's clients.
        let _ = std::fs::remove_file(self.socket());
        self.child = launch(&self.folder);
        self.wait();
    }

    /// It lives, keeps its connections, and answers nobody.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the child is ours and not reaped");
    }

    fn wait(&self) {
        wait_until("redis-server answers", || {
            let mut look = Resp::connect(&self.socket()).ok()?;
            look.try_run(&["PING"]).ok().filter(|answer| answer == "PONG")
        });
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("redis.sock")
}

fn launch(folder: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"])
        .arg("--unixsocket")
        .arg(socket(folder))
        .arg("--dir")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed; tests/run.sh does it")
}
