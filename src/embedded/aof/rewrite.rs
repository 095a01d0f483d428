//! Making the files short again, on a thread of its own.
//!
//! The thread prepares the next incremental file and lists it in the manifest; the owner of the data begins to write
//! there between two passes; now the older files do not change any more, so the thread reads them, writes down what
//! they come to as the new base, and lists that in their place. A crash at any moment leaves a manifest whose files
//! are all there.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::disk::{Disk, DiskFile};
use super::dump::{self, Form};
use super::load;
use super::manifest::Manifest;
use crate::embedded::keyspace::Keyspace;

/// Reading may nest as deep as the owner's thread.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// What the thread tells the owner.
#[derive(Debug)]
pub enum Step {
    /// The next file is ready; tell [`Rewrite::switched`] when it is in use.
    Prepared(Arc<dyn DiskFile>),
    /// The file that is written to could not be synced.
    NotSynced(io::Error),
    /// It is over: the manifest in force, and the size of the new base or why there is none.
    Over(Manifest, io::Result<u64>),
}

/// A rewrite under way. Dropping it gives it up and waits for its thread.
#[derive(Debug)]
pub struct Rewrite {
    switched: Option<Sender<()>>,
    abandoned: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Rewrite {
    /// Starts the thread; `tell` is called on it.
    pub fn start(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        manifest: Manifest,
        current: Arc<dyn DiskFile>,
        tell: impl Fn(Step) + Send + 'static,
    ) -> io::Result<Rewrite> {
        let (switched, wait) = channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let work = Work { disk, folder, before: manifest, abandoned: Arc::clone(&abandoned) };
        let thread = std::thread::Builder::new().name("rewrite".into()).stack_size(STACK_BYTES);
        let thread = thread.spawn(move || {
            let run = AssertUnwindSafe(|| work.run(&*current, &wait, &tell));
            if catch_unwind(run).is_err() {
                let manifest = Manifest::read(&*work.disk, &work.folder).ok().flatten();
                tell(Step::Over(manifest.unwrap_or(work.before), Err(io::Error::other("the thread panicked"))));
            }
        })?;
        Ok(Rewrite { switched: Some(switched), abandoned, thread: Some(thread) })
    }

    /// Tells the thread that the prepared file is in use.
    pub fn switched(&self) {
        if let Some(switched) = &self.switched {
            // A thread that has ended has told why.
            let _ = switched.send(());
        }
    }
}

impl Drop for Rewrite {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Release);
        self.switched = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that rewrites the append-only file had panicked");
        }
    }
}

struct Work {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// What was in force when the rewrite began; its files are what is rewritten.
    before: Manifest,
    abandoned: Arc<AtomicBool>,
}

impl Work {
    fn run(&self, current: &dyn DiskFile, switched: &Receiver<()>, tell: &impl Fn(Step)) {
        let mut during = self.before.clone();
        let part = during.next_increment();
        let file = self.folder.join(&part.name);
        during.increments.push(part.clone());
        // Most of the present file is synced here, so that the owner's own sync at the switch is short. The system
        // tells of a failure only once, so the owner has to hear of it.
        if let Err(error) = current.sync() {
            return tell(Step::NotSynced(error));
        }
        let prepared = self.disk.append_to(&file).and_then(|file| {
            file.truncate(0)?;
            during.write(&*self.disk, &self.folder)?;
            Ok(file)
        });
        match prepared {
            Ok(file) => tell(Step::Prepared(file)),
            Err(error) => {
                // The new list may be in place already; what is still written to has to be the last one in it.
                let _ = self.before.write(&*self.disk, &self.folder);
                return tell(Step::Over(self.before.clone(), Err(error)));
            }
        }
        if switched.recv().is_err() {
            // The owner stays with the old file, so that one has to be the last in the list again.
            if let Err(error) = self.before.write(&*self.disk, &self.folder) {
                tracing::error!(%error, "the manifest of the append-only file could not be put back");
            }
            return;
        }
        let mut after = Manifest { base: Some(self.before.next_base(1)), increments: vec![part] };
        let made = self.make_base(&after);
        if made.is_err() {
            after = during;
        }
        tell(Step::Over(after, made));
    }

    /// Writes the new base, lists it, and removes what it takes the place of.
    fn make_base(&self, after: &Manifest) -> io::Result<u64> {
        let mut core = load::still_core();
        let go_on = || !self.abandoned.load(Ordering::Acquire);
        let loaded = load::load(&mut core, &*self.disk, &self.folder, &self.before, &go_on);
        if let Some(torn) = loaded.map_err(io::Error::other)?.torn {
            let why = format!("{} ends in the middle of a command at byte {}", torn.file.display(), torn.offset);
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let bytes = write_base(&core.db, &*self.disk, &after.base_path(&self.folder), go_on)?;
        after.write(&*self.disk, &self.folder)?;
        remove_parts(&*self.disk, &self.folder, &self.before);
        Ok(bytes)
    }
}

/// Writes a base file whole and synced; none is left when that fails.
pub fn write_base(db: &Keyspace, disk: &dyn Disk, base: &Path, go_on: impl Fn() -> bool) -> io::Result<u64> {
    let written = disk.append_to(base).and_then(|file| {
        file.truncate(0)?;
        let bytes = dump::write(db, &*file, Form::Checked, go_on)?;
        file.sync()?;
        Ok(bytes)
    });
    if written.is_err() {
        // Best effort: a file that no manifest lists does no harm.
        let _ = disk.remove(base);
    }
    written
}

/// Removes the files of a manifest that is no longer in force.
pub fn remove_parts(disk: &dyn Disk, folder: &Path, manifest: &Manifest) {
    for part in manifest.parts() {
        if let Err(error) = disk.remove(&folder.join(&part.name)) {
            tracing::warn!(%error, file = part.name, "an old part of the append-only file could not be removed");
        }
    }
}
