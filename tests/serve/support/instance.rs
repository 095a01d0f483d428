//! One `redis-server` process on a TCP port and on a unix socket, in a folder of its own that outlives a crash.
//!
//! Topologies are made of these. Clients come through the port; tests look in through the socket, which stays the same
//! whatever happens to the port.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::resp::Resp;
use super::wait::wait_until;

/// Starts that may find their port taken before the test gives up.
const STARTS_MAX: usize = 10;
/// Lines of its log that a failed test shows of each.
const LOG_LINES: usize = 30;

/// A process of `redis-server`: a store, a member of a cluster, or a sentinel.
pub struct Instance {
    folder: TempDir,
    child: Child,
    port: u16,
    arguments: Vec<String>,
}

impl Instance {
    /// A store with these options, on a free port. It keeps nothing on disk unless the options say so.
    pub fn start(arguments: &[&str]) -> Self {
        Self::try_ports(|port| Self::start_at(port, arguments))
    }

    /// A store on this port; `None` where somebody else has it.
    pub fn start_at(port: u16, arguments: &[&str]) -> Option<Self> {
        let common = ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"];
        let port_text = port.to_string();
        let own = ["--port", &port_text, "--bind", "127.0.0.1", "--protected-mode", "no", "--unixsocket", "redis.sock"];
        let all = own.iter().chain(&common).chain(arguments).map(|word| (*word).to_owned()).collect();
        Self::launch(port, tempfile::tempdir().expect("a temporary folder"), all)
    }

    /// A sentinel on this port with this configuration, which it rewrites as it learns; `None` where somebody else has
    /// the port.
    pub fn start_sentinel(port: u16, configuration: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let own = format!("port {port}\nbind 127.0.0.1\nprotected-mode no\nunixsocket redis.sock\n");
        fs::write(folder.path().join("sentinel.conf"), own + configuration).expect("the folder is ours");
        Self::launch(port, folder, vec!["sentinel.conf".to_owned(), "--sentinel".to_owned()])
    }

    /// Tries ports until one is free.
    pub fn try_ports<T>(mut start: impl FnMut(u16) -> Option<T>) -> T {
        let started = (0..STARTS_MAX).find_map(|_| start(free_port()));
        started.unwrap_or_else(|| panic!("no free port in {STARTS_MAX} tries"))
    }

    fn launch(port: u16, folder: TempDir, arguments: Vec<String>) -> Option<Self> {
        let child = spawn(&folder, &arguments);
        let mut instance = Self { folder, child, port, arguments };
        instance.answers().then_some(instance)
    }

    /// Where clients connect, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where the socket is that tests look in through.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// A look into it; it has to live.
    pub fn look(&self) -> Resp {
        self.try_look().expect("the process listens")
    }

    /// A look into it, if it lives.
    pub fn try_look(&self) -> Option<Resp> {
        Resp::connect(&self.socket()).ok()
    }

    /// One field of a section of INFO; `None` where it is not there, or nobody answers.
    pub fn info(&self, section: &str, field: &str) -> Option<String> {
        let text = self.try_look()?.try_run(&["INFO", section]).ok()?;
        let line = text.as_str()?.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        Some(line.trim().to_owned())
    }

    /// Ends it without a warning, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("a killed child ends");
        // A client that finds the file of a dead socket would have to try again.
        let _ = fs::remove_file(self.socket());
    }

    /// Starts it again on the same port and in the same folder, once it was killed.
    pub fn start_again(&mut self) {
        for _ in 0..STARTS_MAX {
            self.child = spawn(&self.folder, &self.arguments);
            if self.answers() {
                return;
            }
        }
        panic!("port {} is not free again:\n{}", self.port, self.log());
    }

    /// It lives, keeps its connections, and answers nobody.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the child is ours and not reaped");
    }

    /// Waits until it answers or ends, as it does where its port is taken; whether it answers.
    fn answers(&mut self) -> bool {
        wait_until("redis-server answers or ends", || {
            if self.child.try_wait().expect("the child is ours").is_some() {
                return Some(false);
            }
            // An error is an answer, too: a store with passwords has no other.
            let answer = self.try_look()?.try_run(&["PING"]);
            answer.is_ok_and(|text| text == "PONG").then_some(true).or_else(|| self.wants_password())
        })
    }

    fn wants_password(&self) -> Option<bool> {
        let refusal = self.try_look()?.try_run(&["PING"]).err()?.to_string();
        (refusal.starts_with("NOAUTH") || refusal.starts_with("NOPERM")).then_some(true)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.len().saturating_sub(LOG_LINES);
            eprintln!("--- what the redis-server at {} said last ---\n{}", self.address(), lines[last..].join("\n"));
        }
    }
}

fn spawn(folder: &TempDir, arguments: &[String]) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.path().join("log"));
    let log = log.expect("the folder is ours");
    Command::new("redis-server")
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed; tests/run.sh does it")
}

/// A port that was free a moment ago. It lies below those that the system hands out by itself: a client that dials the
/// port of a process that died could otherwise be given that very port, and talk to itself.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    loop {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let spread = std::process::id().wrapping_mul(7_919).wrapping_add(turn);
        let port = u16::try_from(FIRST + spread % COUNT).expect("it is below 65536");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
