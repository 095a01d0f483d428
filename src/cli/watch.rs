//! Does something again whenever a file below a path changes.
//!
//! It looks at the contents a few times a second instead of asking the system for notifications: the folders are small,
//! editors save in many ways (in place, by renaming, on network drives), and no library is needed.

use std::path::Path;
use std::time::Duration;

use crate::error::{Exit, Fatal};
use crate::offline::place::Place;
use crate::script::tree::Tree;

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// Runs `task` now and after every change, until the process is ended. What goes wrong is printed; it may be mended by
/// the next change.
pub fn again_and_again(path: &Path, task: impl Fn() -> Result<Exit, Fatal>) -> ! {
    loop {
        let seen = contents(path);
        if let Err(fatal) = task() {
            eprintln!("oneseat: error: {fatal}");
        }
        eprintln!("watching {}; Ctrl-C ends", path.display());
        while contents(path) == seen {
            std::thread::sleep(PAUSE);
        }
    }
}

/// The scripts; none while they cannot be read, as amid a save.
fn contents(path: &Path) -> Option<Tree> {
    Place::of(path).and_then(|place| place.read()).ok()
}
