//! The real binary as a child process: configured by the environment, on ports that were free a moment ago.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::admin::{Admin, token};
use super::client::Client;
use super::resp::Resp;
use super::store::{RedisServer, StoreKind};
use super::wait::wait_until;

/// Exit code of a start that found its address taken; with ports from the test that is bad luck, not a failure.
const ADDRESS_IN_USE: i32 = 3;
/// Starts that may run into a taken port before the test gives up.
const STARTS_MAX: usize = 10;

/// What a server is started with.
pub struct Setup {
    settings: BTreeMap<String, String>,
    arguments: Vec<String>,
    /// Most open files that the process may have.
    files_max: Option<u32>,
    folder: Option<PathBuf>,
    redis: Option<RedisServer>,
}

impl Setup {
    /// A server with a store of its own.
    pub fn new(store: StoreKind) -> Self {
        match store {
            StoreKind::Embedded => Self::at("embedded"),
            StoreKind::Redis => {
                let redis = RedisServer::start();
                Self { redis: Some(redis), ..Self::at("") }.with_url()
            }
        }
    }

    /// A server on a store that the test looks after.
    pub fn at(url: &str) -> Self {
        let setup =
            Self { settings: BTreeMap::new(), arguments: Vec::new(), files_max: None, folder: None, redis: None };
        setup
            .set("redis.url", url)
            .set("node.name", "t1")
            .set("node.beat_ms", 100)
            .set("kick.grace_ms", 300)
            .set("log.level", "info,oneseat=debug")
    }

    fn with_url(self) -> Self {
        let url = self.redis.as_ref().map(RedisServer::url).expect("called for a server with a redis of its own");
        self.set("redis.url", url)
    }

    /// One setting, by its key in the configuration.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        let name = format!("ONESEAT_{}", key.replace('.', "__").to_uppercase());
        self.settings.insert(name, value.to_string());
        self
    }

    /// One variable of the environment, as it stands.
    #[must_use]
    #[allow(dead_code, reason = "each test binary uses a part of it")]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// One more argument of the command line.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Most open files that the process may have.
    #[must_use]
    pub fn files_max(mut self, count: u32) -> Self {
        self.files_max = Some(count);
        self
    }

    /// A data folder that the test looks after.
    #[must_use]
    pub fn folder(mut self, path: &Path) -> Self {
        self.folder = Some(path.to_owned());
        self
    }

    /// Starts and waits until it is ready.
    pub fn start(mut self) -> Server {
        let redis = self.redis.take();
        let own = tempfile::tempdir().expect("a temporary folder");
        let data = self.folder.clone().unwrap_or_else(|| own.path().join("data"));
        let (child, ports) = self.launch(&data, own.path());
        let admin = Admin::new(ports.admin);
        Server { admin, redis, setup: self, child, ports, data, own }
    }

    /// Runs until the process ends by itself; for starts that must not succeed.
    pub fn run_to_end(self) -> Ended {
        let own = tempfile::tempdir().expect("a temporary folder");
        let data = self.folder.clone().unwrap_or_else(|| own.path().join("data"));
        let has_address = self.settings.keys().any(|name| name.ends_with("__LISTEN"));
        for _ in 0..STARTS_MAX {
            let mut child = self.spawn(&data, own.path(), &Ports::free());
            let code = wait_end(&mut child).unwrap_or(-1);
            let log = read_log(own.path());
            assert!(!log.contains("panicked"), "{log}");
            if code != ADDRESS_IN_USE || has_address {
                return Ended { code, log };
            }
            fs::remove_file(own.path().join("log")).expect("the log is ours");
        }
        panic!("no free ports in {STARTS_MAX} tries");
    }

    /// Tries other ports as long as somebody else was faster.
    fn launch(&self, data: &Path, own: &Path) -> (Child, Ports) {
        for _ in 0..STARTS_MAX {
            let ports = Ports::free();
            let mut child = self.spawn(data, own, &ports);
            let admin = Admin::new(ports.admin);
            let ended =
                wait_until("the server is ready or ends", || match child.try_wait().expect("the child is ours") {
                    Some(status) => Some(Some(status)),
                    None => admin.try_get("/readyz").filter(|(status, _)| *status == 200).map(|_| None),
                });
            match ended {
                None => return (child, ports),
                Some(status) if status.code() == Some(ADDRESS_IN_USE) => {}
                Some(status) => panic!("the server did not start: {status}\n{}", read_log(own)),
            }
        }
        panic!("no free ports in {STARTS_MAX} tries");
    }

    fn spawn(&self, data: &Path, own: &Path, ports: &Ports) -> Child {
        let log = File::options().create(true).append(true).open(own.join("log")).expect("the folder is ours");
        let errors = log.try_clone().expect("an open file can be shared");
        let binary = env!("CARGO_BIN_EXE_oneseat");
        let mut command = match self.files_max {
            None => Command::new(binary),
            Some(count) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", &format!("ulimit -n {count} && exec \"$0\" \"$@\""), binary]);
                shell
            }
        };
        command.arg("serve").args(&self.arguments).env_clear();
        command.env("ONESEAT_GATEWAY__LISTEN", format!("127.0.0.1:{}", ports.clients));
        command.env("ONESEAT_ADMIN__LISTEN", format!("127.0.0.1:{}", ports.admin));
        command.env("ONESEAT_DATA__DIR", data).envs(&self.settings);
        command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().expect("the binary was built with the tests")
    }
}

/// How a process ended.
pub struct Ended {
    pub code: i32,
    /// What it printed.
    pub log: String,
}

/// What a subcommand printed, and how it ended.
#[derive(Debug)]
pub struct Told {
    pub code: i32,
    pub out: String,
    pub errors: String,
}

impl Told {
    /// What it printed, if it did what it was asked.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.errors);
        self.out
    }

    /// What it complained about, if it refused with this code.
    #[track_caller]
    pub fn refused(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.errors);
        self.errors
    }
}

struct Ports {
    clients: u16,
    admin: u16,
}

impl Ports {
    /// Both are held until both are known, so they differ.
    fn free() -> Self {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
        let (clients, admin) = (bind(), bind());
        let port = |listener: &TcpListener| listener.local_addr().expect("a bound socket has an address").port();
        Self { clients: port(&clients), admin: port(&admin) }
    }
}

/// A client that is logged in.
pub struct Session {
    pub client: Client,
    pub uid: u64,
    pub token: String,
    /// The body of its 1006.
    pub reply: Value,
}

impl Session {
    pub fn epoch(&self) -> u64 {
        self.reply["epoch"].as_u64().expect("1006 has an epoch")
    }

    pub fn sid(&self) -> &str {
        self.reply["sid"].as_str().expect("1006 has a sid")
    }

    /// The session is served, and nothing else was said to it.
    pub fn beat(&mut self) {
        self.client.beat(self.uid);
    }
}

/// A running server.
pub struct Server {
    pub admin: Admin,
    /// The `redis-server` that was started with it.
    pub redis: Option<RedisServer>,
    setup: Setup,
    child: Child,
    ports: Ports,
    data: PathBuf,
    own: TempDir,
}

impl Server {
    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.clients).into()
    }

    /// Where the admin API listens.
    pub fn admin_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.admin).into()
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A connection that has said nothing yet.
    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// A session with a fresh ticket.
    pub fn session(&self, uid: u64) -> Session {
        self.session_with(uid, self.admin.token(uid))
    }

    /// A session of a device class, with a fresh ticket.
    pub fn session_of(&self, uid: u64, class: &str) -> Session {
        let ticket = self.admin.ticket(&json!({ "uid": uid, "class": class }));
        self.session_with(uid, token(&ticket))
    }

    /// A session with a ticket that the test has.
    pub fn session_with(&self, uid: u64, token: String) -> Session {
        let mut client = self.connect();
        let reply = client.log_in(uid, &token);
        assert_eq!(reply["error"], 0, "the login of {uid} is refused: {reply}");
        Session { client, uid, token, reply }
    }

    /// A look into the store, whichever it is.
    pub fn look(&self) -> Resp {
        let socket = self.redis.as_ref().map_or_else(|| self.data.join("redis.sock"), RedisServer::socket);
        Resp::connect(&socket).expect("the store listens")
    }

    /// The roster's entries, in order.
    pub fn roster(&self) -> Vec<String> {
        self.look().texts(&["ZRANGE", "os:{0}:roster", "0", "-1"])
    }

    /// Sessions of this node, as its last beat told the directory.
    pub fn count(&self) -> Option<u64> {
        self.admin.node("t1")?["count"].as_u64()
    }

    /// Waits until roster and directory both say that there are this many sessions.
    pub fn wait_sessions(&self, count: usize) {
        wait_until(&format!("{count} sessions in roster and directory"), || {
            let listed = self.roster().len();
            (listed == count && self.count() == u64::try_from(count).ok()).then_some(())
        });
    }

    /// The value of one series, as `name` or `name{label="value"}`; a counter that never counted is zero.
    pub fn metric(&self, series: &str) -> u64 {
        self.series(series)
    }

    /// Whether the node believes that its lease runs.
    pub fn has_lease(&self) -> bool {
        self.series::<f64>("oneseat_lease_seconds") > 0.0
    }

    fn series<T: FromStr<Err: Display> + Default>(&self, series: &str) -> T {
        let (status, text) = self.admin.try_get("/metrics").expect("the admin API answers");
        assert_eq!(status, 200, "{text}");
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(T::default(), |value| value.parse().unwrap_or_else(|error| panic!("{series} is {value}: {error}")))
    }

    /// Files and sockets that the process has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("the process lives").count()
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        read_log(self.own.path())
    }

    /// A stranger can log in and is served: whatever was done to the server did it no harm.
    pub fn assert_serves(&self, uid: u64) {
        self.session(uid).beat();
    }

    /// Runs a subcommand with the settings of this server.
    pub fn run(&self, arguments: &[&str]) -> Told {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oneseat"));
        command.args(arguments).env_clear().env("ONESEAT_DATA__DIR", &self.data).envs(&self.setup.settings);
        let output = command.stdin(Stdio::null()).output().expect("the binary was built with the tests");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints text");
        Told { code: output.status.code().unwrap_or(-1), out: text(output.stdout), errors: text(output.stderr) }
    }

    /// Ends it without a warning, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("a killed child ends");
    }

    /// Whether the process has ended by itself.
    #[allow(dead_code, reason = "each test binary uses a part of it")]
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours").is_some()
    }

    /// Starts it again with the same data folder and settings, on other ports.
    pub fn start_again(&mut self) {
        let (child, ports) = self.setup.launch(&self.data, self.own.path());
        self.admin = Admin::new(ports.admin);
        (self.child, self.ports) = (child, ports);
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the child is ours and not reaped");
    }

    /// Waits for the end; the exit code and how long it took.
    pub fn wait_exit(&mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let code = wait_end(&mut self.child);
        (code, begun.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- what the server said ---\n{}", self.log());
        }
    }
}

/// The exit code, or `None` for a process that a signal ended. A process that does not end is killed.
fn wait_end(child: &mut Child) -> Option<i32> {
    let _guard = Guard(Pid::from_child(child));
    wait_until("the process ends", || child.try_wait().expect("the child is ours")).code()
}

/// Kills a child whose end was waited for in vain.
struct Guard(Pid);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = kill_process(self.0, Signal::KILL);
        }
    }
}

fn read_log(own: &Path) -> String {
    fs::read_to_string(own.join("log")).unwrap_or_default()
}
