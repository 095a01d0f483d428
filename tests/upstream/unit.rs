//! One unit of the suite, run against a store of its own, and what became of its tests.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use oneseat::embedded::{Server, ServerOptions};
use tempfile::TempDir;

use crate::bridge::Bridge;

/// A unit that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(240);

/// What became of the tests of one unit. Tests of one name count as one, which fails when one of them fails.
#[derive(Default)]
pub struct Outcome {
    pub unit: String,
    /// By name, nothing or what was wrong.
    pub tests: BTreeMap<String, Option<String>>,
    /// Errors that belong to no test, and a unit that did not end.
    pub faults: Vec<String>,
    pub elapsed: Duration,
}

impl Outcome {
    /// Takes one line of the driver.
    pub fn take(&mut self, line: &str) {
        let mut fields = line.split('\t');
        let (word, name) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let detail = fields.next().unwrap_or_default();
        match word {
            "ok" => {
                self.tests.entry(name.into()).or_default();
            }
            "err" => {
                self.tests.insert(name.into(), Some(detail.into()));
            }
            "outside" => self.faults.push(name.into()),
            "begin" | "ignore" | "done" => {}
            _ => self.faults.push(line.into()),
        }
    }
}

fn log_of(unit: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/upstream/log");
    std::fs::create_dir_all(&folder).expect("a folder for the logs");
    folder.join(unit.replace('/', "-"))
}

/// Ends the driver whatever happens to the test.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.kill().expect("our own child can be ended");
        self.0.wait().expect("our own child ends");
    }
}

/// Runs a unit of the suite in `suite` against a new embedded store.
pub fn run(suite: &Path, unit: &str) -> Outcome {
    let folder = TempDir::new().expect("a temporary folder");
    let socket = folder.path().join("store.sock");
    let options = ServerOptions { socket: socket.clone(), ..ServerOptions::default() };
    let server = Server::start(options).expect("the store starts");
    let bridge = Bridge::start(&socket);
    let outcome = drive(suite, bridge.port, unit);
    drop(bridge);
    server.stop().expect("the store ends well");
    outcome
}

fn drive(suite: &Path, port: u16, unit: &str) -> Outcome {
    let started = Instant::now();
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/upstream/driver.tcl");
    let mut child = Command::new("tclsh")
        .arg(script)
        .arg(suite)
        .args(["127.0.0.1", &port.to_string(), unit])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tclsh is installed; tests/run.sh upstream installs it");
    let stdout = child.stdout.take().expect("the output is piped");
    let mut stderr = child.stderr.take().expect("the errors are piped");
    let _driver = Driver(child);
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        // A unit that was given up no longer listens.
        BufReader::new(stdout).split(b'\n').map_while(Result::ok).try_for_each(|line| sender.send(line)).ok();
    });
    let mut outcome = Outcome { unit: unit.into(), ..Outcome::default() };
    let mut last = String::new();
    let mut log = File::create(log_of(unit)).expect("a new file");
    loop {
        match lines.recv_timeout(LONGEST.saturating_sub(started.elapsed())) {
            Ok(line) => {
                last = String::from_utf8_lossy(&line).into_owned();
                writeln!(log, "{last}").expect("the log can be written");
                outcome.take(&last);
            }
            Err(RecvTimeoutError::Timeout) => {
                outcome.faults.push(format!("the unit hangs after: {last}"));
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    outcome.elapsed = started.elapsed();
    if outcome.faults.is_empty() && !last.starts_with("done\t") {
        let mut said = String::new();
        stderr.read_to_string(&mut said).ok();
        outcome.faults.push(format!("the unit broke off after: {last}\n{said}"));
    }
    outcome
}
