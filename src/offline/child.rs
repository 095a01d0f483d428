//! One process that runs jobs, as its parent sees it: it is told what to do, listened to, and ended by its handle.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::offline::message::{Event, Job};

/// The arguments that make this program a worker.
pub const ARGUMENTS: [&str; 2] = ["test", "--worker"];
/// Longest time that a process takes to read the scripts.
const START_MAX: Duration = Duration::from_secs(60);

/// A process; it ends with this value.
pub struct Child {
    process: std::process::Child,
    events: Receiver<Event>,
}

/// Why no event came.
pub enum Silence {
    /// It runs, but gave no sign.
    Long,
    /// It has ended, or says what nobody understands.
    Dead,
}

impl Child {
    /// Starts a process and waits until it is ready. `setup` is one line.
    pub fn start(program: &Path, setup: &str) -> io::Result<Self> {
        let mut process = Command::new(program).args(ARGUMENTS).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (sender, events) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            let events = lines.map_while(|line| serde_json::from_str::<Event>(&line).ok());
            // Ends with the process, with a line that is no event, or when nobody asks for events any more.
            events.map_while(|event| sender.send(event).ok()).for_each(drop);
        });
        let mut child = Self { process, events };
        child.write(setup)?;
        match child.next(START_MAX) {
            Ok(_) => Ok(child),
            Err(_) => Err(io::Error::other(format!("{} does not run tests", program.display()))),
        }
    }

    /// Asks for a job.
    pub fn ask(&mut self, job: Job) -> io::Result<()> {
        self.write(&serde_json::to_string(&job)?)
    }

    /// Waits for the next event.
    pub fn next(&mut self, silence_max: Duration) -> Result<Event, Silence> {
        self.events.recv_timeout(silence_max).map_err(|error| match error {
            RecvTimeoutError::Timeout => Silence::Long,
            RecvTimeoutError::Disconnected => Silence::Dead,
        })
    }

    /// Ends it, if it has not ended by itself, and tells how it ended.
    pub fn end(mut self) -> io::Result<ExitStatus> {
        self.process.kill()?;
        self.process.wait()
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let input = self.process.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{line}").and_then(|()| input.flush())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
