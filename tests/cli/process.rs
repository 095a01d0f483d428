//! The real binary: runs to its end, servers in the background, and clients that are talked to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a run ended.
pub struct Outcome {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Outcome {
    /// Standard output as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    /// Checks the exit code, and that failures say so in one line.
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        if code != 0 {
            assert!(self.err.starts_with("oneseat: error: "), "{}", self.err);
        }
        self
    }

    /// Checks that standard error is a single line with all of these in it.
    pub fn says(self, parts: &[&str]) -> Self {
        assert_eq!(self.err.trim_end().lines().count(), 1, "{}", self.err);
        for part in parts {
            assert!(self.err.contains(part), "{part}: {}", self.err);
        }
        self
    }
}

/// The binary with a clean environment and these settings (`("ADMIN__TOKEN", "...")`).
pub fn oneseat(arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oneseat"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ONESEAT_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command.envs(settings.iter().map(|(name, value)| (format!("ONESEAT_{name}"), value)));
    command
}

/// Runs it to its end.
pub fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Outcome {
    let Output { status, stdout, stderr } = oneseat(arguments, settings).output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("what is printed is UTF-8");
    Outcome { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

/// A port of loopback that nobody listens on at this moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

/// `oneseat serve` on ports and in a folder of its own. It ends with the value.
pub struct Server {
    child: Child,
    pub clients: String,
    pub admin: String,
    pub folder: TempDir,
    settings: Vec<(String, String)>,
}

impl Server {
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let (clients, admin) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let dir = folder.path().join("data").display().to_string();
        let own =
            [("GATEWAY__LISTEN", clients.as_str()), ("ADMIN__LISTEN", admin.as_str()), ("DATA__DIR", dir.as_str())];
        let settings: Vec<(&str, &str)> = own.into_iter().chain(settings.iter().copied()).collect();
        let log = std::fs::File::create(folder.path().join("log")).expect("a file in it");
        let child = oneseat(&["serve"], &settings).stdout(Stdio::null()).stderr(log).spawn().expect("the binary runs");
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut server = Self { child, clients, admin, folder, settings };
        server.wait_ready();
        server
    }

    fn wait_ready(&mut self) {
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
        let url = format!("http://{}/readyz", self.admin);
        let deadline = Instant::now() + PATIENCE;
        while agent.get(&url).call().is_err() {
            let ended = self.child.try_wait().expect("it is our child");
            assert!(ended.is_none() && Instant::now() < deadline, "the server is not ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it wrote to standard error so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Runs a subcommand with the settings of this server.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        run(arguments, &settings)
    }

    /// A client of this server, in JSON.
    pub fn client(&self, arguments: &[&str]) -> Client {
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let arguments: Vec<&str> = ["client", "--json"].into_iter().chain(arguments.iter().copied()).collect();
        Client::spawn(oneseat(&arguments, &settings))
    }

    /// Asks it to stop, as a supervisor does, and waits for the end.
    pub fn stop(mut self) -> i32 {
        signal(&self.child, "-TERM");
        wait_end(&mut self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `oneseat client --json`, one event per line.
pub struct Client {
    child: Child,
    input: ChildStdin,
    events: Receiver<Value>,
}

impl Client {
    fn spawn(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Self { child, input, events }
    }

    /// The next event that fits; others before it are passed over.
    pub fn event(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) if fits(&event) => return event,
                Ok(_) => {}
                Err(error) => panic!("the event did not come: {error}"),
            }
        }
    }

    /// The next frame of this id from the server: its body.
    pub fn frame(&self, id: u16) -> Value {
        self.event(|event| event["direction"] == "in" && event["id"] == id)["body"].clone()
    }

    /// Freezes the process, as a machine that is suspended does, or lets it go on.
    pub fn freeze(&self, is_frozen: bool) {
        signal(&self.child, if is_frozen { "-STOP" } else { "-CONT" });
    }

    pub fn type_line(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the client reads");
    }

    /// Its last event and its exit code.
    pub fn end(mut self) -> (Value, i32) {
        let closed = self.event(|event| event["event"] == "closed");
        let code = wait_end(&mut self.child);
        let mut err = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut err).expect("UTF-8");
        assert_eq!(err, "", "a client that was told why says nothing on standard error");
        assert_eq!(closed["exit"], code);
        (closed, code)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success(), "{signal} reaches our own child");
}

/// Looks again until something is so.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Looks again until the process has ended: its exit code, or -1 after a signal.
fn wait_end(child: &mut Child) -> i32 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return status.code().unwrap_or(-1);
        }
        assert!(Instant::now() < deadline, "the process does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}
