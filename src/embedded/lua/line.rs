//! Which lines of which scripts ran, and how often: what test coverage is made of.
//!
//! It counts lines of the text that a script was loaded with. Text that a script compiles itself is not counted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use mlua::debug::Debug;

use super::host::SCRIPT_NAME;

/// How often each line of a text ran; the first line comes first.
pub type LineCounts = Vec<u64>;

/// The counts of all scripts, and of the one that runs.
#[derive(Default)]
pub struct Lines {
    scripts: RefCell<BTreeMap<String, LineCounts>>,
    running: RefCell<LineCounts>,
    /// The line that ran last.
    last: Cell<Option<usize>>,
}

impl Lines {
    /// From here on lines are those of the script with this digest.
    pub fn begin(&self, digest: &str) {
        let known = self.scripts.borrow_mut().remove(digest);
        *self.running.borrow_mut() = known.unwrap_or_default();
        self.last.set(None);
    }

    /// The script has ended.
    pub fn end(&self, digest: &str) {
        self.scripts.borrow_mut().insert(digest.to_owned(), self.running.take());
    }

    /// Counts the line that is about to run, if it is one of the script's text.
    pub fn count(&self, debug: &Debug) {
        if debug.source().source.as_deref() != Some(SCRIPT_NAME) {
            return;
        }
        let Some(index) = debug.current_line().and_then(|line| line.checked_sub(1)) else { return };
        self.last.set(Some(index + 1));
        let mut counts = self.running.borrow_mut();
        if counts.len() <= index {
            counts.resize(index + 1, 0);
        }
        counts[index] += 1;
    }

    /// The line that ran last, of the script that runs or ran last.
    pub fn last(&self) -> Option<usize> {
        self.last.get()
    }

    /// The counts so far, by digest; they begin anew.
    pub fn take(&self) -> BTreeMap<String, LineCounts> {
        self.scripts.take()
    }
}
