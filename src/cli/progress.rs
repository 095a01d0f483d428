//! One line on a terminal that says what a long run is doing.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::output;
use crate::offline::pool::Note;

/// A run that is shorter needs no such line.
const QUIET: Duration = Duration::from_secs(1);
/// Shortest time between two changes of the line.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest text of the line; one that wraps cannot be wiped.
const CHARS_MAX: usize = 78;

/// The line, drawn on standard error where that is a terminal.
pub struct Progress {
    start: Instant,
    drawn: Option<Instant>,
    is_shown: bool,
    begun: usize,
}

impl Progress {
    /// Nothing is drawn yet.
    pub fn new() -> Self {
        Self { start: Instant::now(), drawn: None, is_shown: std::io::stderr().is_terminal(), begun: 0 }
    }

    /// Draws what begins; makes room for the report of what has finished.
    pub fn hear(&mut self, note: &Note) {
        match note {
            Note::Started { script, test } => {
                self.begun += 1;
                let begun = self.begun;
                self.say(|| format!("{begun} tests, {script}: {test}"));
            }
            Note::Finished(..) => self.wipe(),
        }
    }

    /// Draws what is being done, where it is time for another look at it.
    pub fn say(&mut self, text: impl FnOnce() -> String) {
        let is_due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= PAUSE);
        if self.is_shown && is_due && self.start.elapsed() >= QUIET {
            self.draw(&output::printable(&text()).chars().take(CHARS_MAX).collect::<String>());
        }
    }

    fn draw(&mut self, text: &str) {
        self.drawn = Some(Instant::now());
        write(&format!("\r\x1b[K{text}"));
    }

    /// Makes room for what is printed next.
    pub fn wipe(&mut self) {
        if self.drawn.take().is_some() {
            write("\r\x1b[K");
        }
    }
}

/// A terminal that has gone away needs no progress.
fn write(text: &str) {
    let mut error = std::io::stderr().lock();
    let _ = error.write_all(text.as_bytes()).and_then(|()| error.flush());
}
