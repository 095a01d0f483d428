//! The owner's side of the append-only file: writes the units of each pass, syncs them, and says which are settled.
//!
//! Positions count the bytes of all units since the start. A reply may go out when the place of its request is
//! *settled*: synced under `always`, written otherwise. When a write fails the units wait, further writes are refused,
//! reads go on, and it is tried again every second. When a sync fails nothing is known of what was written since the
//! last one, so the files are started over from memory.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::disk::DiskFile;
use super::frame::write_batch;
use super::load::{self, LoadError};
use super::manifest::Manifest;
use super::rewrite::{Rewrite, Step, remove_parts, write_base};
use super::syncer::Syncer;
use super::{AppendOnly, Fsync};
use crate::embedded::core::Core;

/// Time between two attempts after an error, and between two syncs under `everysec`.
const SECOND: Duration = Duration::from_secs(1);
/// Under `everysec`, replies wait once the oldest write that is not synced is older than this.
const LAG_MAX: Duration = Duration::from_secs(2);
/// Memory that is kept for the next pass.
const KEPT_BYTES: usize = 1024 * 1024;

/// What the rest of the engine sees of the append-only file.
#[derive(Debug)]
pub struct Status {
    /// Replies up to this position may go out.
    pub settled: u64,
    /// Why writes are refused.
    pub trouble: Option<String>,
    /// Somebody asked for a rewrite.
    pub rewrite_asked: bool,
    pub rewriting: bool,
    pub rewrite_failed: bool,
    pub rewrites: u64,
    /// Bytes of all files, and what they were after the last rewrite.
    pub bytes: u64,
    pub base_bytes: u64,
}

impl Default for Status {
    fn default() -> Self {
        Status {
            settled: u64::MAX,
            trouble: None,
            rewrite_asked: false,
            rewriting: false,
            rewrite_failed: false,
            rewrites: 0,
            bytes: 0,
            base_bytes: 0,
        }
    }
}

/// What other threads tell the owner.
pub enum Event {
    /// All up to a position is synced, or is not.
    Synced(u64, io::Result<()>),
    Rewrite(Step),
}

/// Sends events to the owner and wakes it.
#[derive(Clone)]
pub struct Notify {
    events: Sender<Event>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Notify {
    pub fn tell(&self, event: Event) {
        // The owner has ended when nobody listens.
        let _ = self.events.send(event);
        (self.wake)();
    }
}

/// An error that keeps the owner from writing.
struct Trouble {
    retry_at: Instant,
    /// What is on the disk is not known any more.
    is_lost: bool,
}

/// The append-only file as its writer has it.
pub struct Journal {
    options: AppendOnly,
    manifest: Manifest,
    file: Arc<dyn DiskFile>,
    /// Good bytes of the file that is written to, and of all others.
    file_bytes: u64,
    other_bytes: u64,
    /// Units that are not written yet, and the position of their end.
    unwritten: Vec<u8>,
    taken: u64,
    /// The batch being written.
    batch: Vec<u8>,
    written: u64,
    synced: u64,
    unsynced_since: Option<Instant>,
    trouble: Option<Trouble>,
    syncer: Option<Syncer>,
    syncing: bool,
    sync_at: Instant,
    /// When the sync under way was begun.
    sync_began: Instant,
    rewrite: Option<Rewrite>,
    /// How long the owner stopped for the rewrite under way.
    pause: Duration,
    /// Times that the files were started over, or that it was tried.
    starts: u64,
    events: Receiver<Event>,
    notify: Notify,
}

impl Journal {
    /// Reads the store into an empty state, and opens it for writing. `wake` makes the owner look at what other
    /// threads have to tell.
    pub fn open(core: &mut Core, options: AppendOnly, wake: Arc<dyn Fn() + Send + Sync>) -> Result<Journal, LoadError> {
        let failed = |source| LoadError::Io { file: options.folder.clone(), source };
        let disk = &*options.disk;
        disk.create_folder(&options.folder).map_err(failed)?;
        // The folder's own name has to last, too.
        if let Some(parent) = options.folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            disk.sync_folder(parent).map_err(failed)?;
        }
        let mut manifest = Manifest::find(disk, &options.folder).map_err(failed)?;
        let loaded = read_back(core, &options, &manifest)?;
        let (mut file_bytes, mut other_bytes) = (loaded.last_bytes, loaded.bytes - loaded.last_bytes);
        let is_new = manifest.increments.is_empty();
        if is_new {
            manifest.increments.push(manifest.next_increment());
            (file_bytes, other_bytes) = (0, loaded.bytes);
        }
        let path = manifest.current(&options.folder).unwrap_or_default();
        let file = disk.append_to(&path).map_err(failed)?;
        if is_new {
            file.truncate(0).and_then(|()| manifest.write(disk, &options.folder)).map_err(failed)?;
        }
        let (events, receiver) = channel();
        core.db.effects.enable();
        core.log.settled = 0;
        core.config.append_only = true;
        core.log.base_bytes = manifest.base.as_ref().map_or(0, |_| other_bytes);
        core.config.fsync = options.fsync;
        core.config.rewrite_percent = options.rewrite_percent;
        core.config.rewrite_bytes_min = options.rewrite_bytes_min;
        let mut journal = Journal {
            options,
            manifest,
            file,
            file_bytes,
            other_bytes,
            unwritten: Vec::new(),
            taken: 0,
            batch: Vec::new(),
            written: 0,
            synced: 0,
            unsynced_since: None,
            trouble: None,
            syncer: None,
            syncing: false,
            sync_at: Instant::now(),
            sync_began: Instant::now(),
            rewrite: None,
            pause: Duration::ZERO,
            starts: 0,
            events: receiver,
            notify: Notify { events, wake },
        };
        journal.report(core);
        Ok(journal)
    }

    /// Takes the units of a pass and does what is due.
    pub fn pass(&mut self, core: &mut Core) {
        while let Ok(event) = self.events.try_recv() {
            self.hear(core, event);
        }
        self.write_units(core);
        self.sync_if_due(core.config.fsync);
        self.rewrite_if_due(core);
        self.report(core);
    }

    fn write_units(&mut self, core: &mut Core) {
        let before = self.unwritten.len();
        core.db.effects.take(&mut self.unwritten);
        self.taken += (self.unwritten.len() - before) as u64;
        if self.is_writable(core) {
            self.write(core);
        }
    }

    /// How long the owner may sleep.
    pub fn patience(&self, fsync: Fsync) -> Option<Duration> {
        let due = match &self.trouble {
            Some(trouble) => Some(trouble.retry_at),
            None if fsync == Fsync::Everysec && !self.syncing && self.written > self.synced => Some(self.sync_at),
            None => None,
        };
        due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Writes and syncs what is left, and ends the threads.
    pub fn finish(mut self, core: &mut Core) {
        self.rewrite = None;
        while let Ok(event) = self.events.try_recv() {
            self.hear(core, event);
        }
        if let Some(trouble) = &mut self.trouble {
            trouble.retry_at = Instant::now();
        }
        self.write_units(core);
        self.report(core);
        let synced = if self.written > self.synced { self.file.sync() } else { Ok(()) };
        if let Err(error) = synced {
            tracing::error!(%error, "the last writes of the embedded store may not be on the disk");
        }
        if !self.unwritten.is_empty() {
            let bytes = self.unwritten.len();
            tracing::error!(bytes, "the last writes of the embedded store could not be written; nobody was told yes");
        }
    }

    /// Whether units may be written now; mends what an earlier error left when it is time to.
    fn is_writable(&mut self, core: &mut Core) -> bool {
        let Some(trouble) = &mut self.trouble else { return true };
        if Instant::now() < trouble.retry_at {
            return false;
        }
        if trouble.is_lost && self.rewrite.is_some() {
            trouble.retry_at = Instant::now() + SECOND;
            return false;
        }
        if trouble.is_lost {
            if let Err(error) = self.start_over(core) {
                self.note_trouble(core, "start over", &error, true);
                return false;
            }
            self.recovered(core);
        }
        true
    }

    fn write(&mut self, core: &mut Core) {
        if !self.unwritten.is_empty()
            && let Err((error, is_lost)) = self.append()
        {
            return self.note_trouble(core, "write", &error, is_lost);
        }
        if core.config.fsync == Fsync::Always && self.written > self.synced {
            let synced = self.file.sync();
            return self.note_synced(core, self.written, synced);
        }
        self.recovered(core);
    }

    /// Writes what waits as one batch. An error comes with whether what is on the disk is not known any more.
    fn append(&mut self) -> Result<(), (io::Error, bool)> {
        self.batch.clear();
        write_batch(&mut self.batch, &self.unwritten);
        if let Err(error) = self.file.append(&self.batch) {
            // Whatever part of it is there must go, or the next batch would stand behind rubbish.
            return Err((error, self.file.truncate(self.file_bytes).is_err()));
        }
        self.file_bytes += self.batch.len() as u64;
        self.written = self.taken;
        self.unsynced_since.get_or_insert_with(Instant::now);
        self.unwritten.clear();
        if self.unwritten.capacity() > KEPT_BYTES {
            self.unwritten = Vec::new();
            self.batch = Vec::new();
        }
        Ok(())
    }

    /// Hands the file to the thread that syncs, when a second has passed.
    fn sync_if_due(&mut self, fsync: Fsync) {
        if fsync != Fsync::Everysec || self.syncing || self.written == self.synced || self.trouble.is_some() {
            return;
        }
        let now = Instant::now();
        if now < self.sync_at {
            return;
        }
        let notify = self.notify.clone();
        let syncer = self.syncer.get_or_insert_with(|| Syncer::start(notify));
        syncer.sync(Arc::clone(&self.file), self.written);
        self.syncing = true;
        (self.sync_began, self.sync_at) = (now, now + SECOND);
    }

    fn note_synced(&mut self, core: &mut Core, position: u64, result: io::Result<()>) {
        match result {
            // A sync that was begun before the files were started over may tell of less than is known.
            Ok(()) => {
                self.synced = self.synced.max(position);
                // What was written since is at most as old as the sync.
                self.unsynced_since = (self.written > self.synced).then_some(self.sync_began);
                if self.trouble.as_ref().is_some_and(|trouble| !trouble.is_lost) && self.unwritten.is_empty() {
                    self.recovered(core);
                }
            }
            Err(error) => self.note_trouble(core, "sync", &error, true),
        }
    }

    fn hear(&mut self, core: &mut Core, event: Event) {
        match event {
            Event::Synced(position, result) => {
                self.syncing = false;
                self.note_synced(core, position, result);
            }
            Event::Rewrite(Step::Prepared(file)) => {
                let began = Instant::now();
                self.switch(core, file);
                self.pause = began.elapsed();
            }
            Event::Rewrite(Step::Over(manifest, result)) => self.end_rewrite(core, manifest, result),
            Event::Rewrite(Step::NotSynced(error)) => {
                self.rewrite = None;
                self.note_trouble(core, "sync", &error, true);
            }
        }
    }

    /// Goes on in the file that a rewrite prepared. The old one is synced first, so that a crash of the machine
    /// cannot keep the newer file and lose the end of the older one.
    fn switch(&mut self, core: &mut Core, file: Arc<dyn DiskFile>) {
        if self.trouble.is_some() {
            // The files as they are must not be built upon.
            self.rewrite = None;
        }
        if self.rewrite.is_none() {
            return;
        }
        if let Err(error) = self.file.sync() {
            self.rewrite = None;
            return self.note_trouble(core, "sync", &error, true);
        }
        (self.synced, self.unsynced_since) = (self.written, None);
        self.other_bytes += self.file_bytes;
        (self.file, self.file_bytes) = (file, 0);
        self.manifest.increments.push(self.manifest.next_increment());
        if let Some(rewrite) = &self.rewrite {
            rewrite.switched();
        }
    }

    fn end_rewrite(&mut self, core: &mut Core, manifest: Manifest, result: io::Result<u64>) {
        self.rewrite = None;
        self.manifest = manifest;
        core.log.rewrite_failed = result.is_err();
        match result {
            Ok(bytes) => {
                let (before, pause_us) = (self.other_bytes, self.pause.as_micros() as u64);
                tracing::info!(before, after = bytes, pause_us, "the append-only file was rewritten");
                self.other_bytes = bytes;
                core.log.rewrites += 1;
            }
            Err(error) => tracing::error!(%error, "the append-only file could not be rewritten; it goes on as it is"),
        }
        core.log.base_bytes = self.other_bytes + self.file_bytes;
    }

    fn rewrite_if_due(&mut self, core: &mut Core) {
        let bytes = self.other_bytes + self.file_bytes;
        let config = &core.config;
        let has_grown = config.rewrite_percent > 0
            && bytes > config.rewrite_bytes_min
            && bytes as u128 * 100 >= u128::from(core.log.base_bytes) * (100 + u128::from(config.rewrite_percent));
        if self.rewrite.is_some() || self.trouble.is_some() || !(has_grown || core.log.rewrite_asked) {
            return;
        }
        core.log.rewrite_asked = false;
        tracing::info!(bytes, "the append-only file is being rewritten");
        let notify = self.notify.clone();
        let tell = move |step| notify.tell(Event::Rewrite(step));
        let (disk, folder) = (Arc::clone(&self.options.disk), self.options.folder.clone());
        match Rewrite::start(disk, folder, self.manifest.clone(), Arc::clone(&self.file), tell) {
            Ok(rewrite) => self.rewrite = Some(rewrite),
            Err(error) => {
                tracing::error!(%error, "the append-only file cannot be rewritten");
                core.log.base_bytes = bytes;
            }
        }
    }

    /// Writes new files from memory, after a failure that leaves the present ones in doubt.
    fn start_over(&mut self, core: &mut Core) -> io::Result<()> {
        if core.db.changing {
            return Err(io::Error::other("a command panicked amid its changes, so memory is not to be trusted"));
        }
        let (disk, folder) = (&*self.options.disk, &self.options.folder);
        // Names that no earlier attempt has used: what it left may be what the manifest on the disk lists.
        self.starts += 1;
        let fresh = self.manifest.after(self.starts);
        let bytes = write_base(&core.db, disk, &fresh.base_path(folder), || true)?;
        let file = disk.append_to(&fresh.current(folder).unwrap_or_default())?;
        file.truncate(0)?;
        file.sync()?;
        fresh.write(disk, folder)?;
        remove_parts(disk, folder, &std::mem::replace(&mut self.manifest, fresh));
        self.file = file;
        (self.file_bytes, self.other_bytes) = (0, bytes);
        core.log.base_bytes = bytes;
        // What waited to be written is in the new base.
        self.unwritten.clear();
        (self.written, self.synced, self.unsynced_since) = (self.taken, self.taken, None);
        Ok(())
    }

    fn note_trouble(&mut self, core: &mut Core, doing: &str, error: &io::Error, is_lost: bool) {
        let is_lost = is_lost || self.trouble.as_ref().is_some_and(|trouble| trouble.is_lost);
        if self.trouble.is_none() {
            tracing::error!(%error, doing, "the append-only file failed; writes are refused until it works again");
        }
        self.trouble = Some(Trouble { retry_at: Instant::now() + SECOND, is_lost });
        core.log.trouble = Some(error.to_string());
    }

    fn recovered(&mut self, core: &mut Core) {
        if self.trouble.take().is_some() {
            tracing::info!("the append-only file works again; writes are taken");
            core.log.trouble = None;
        }
    }

    fn report(&mut self, core: &mut Core) {
        let is_behind = self.unsynced_since.is_some_and(|since| since.elapsed() > LAG_MAX);
        let is_sound = !self.trouble.as_ref().is_some_and(|trouble| trouble.is_lost);
        let settled = match core.config.fsync {
            Fsync::Everysec if is_behind => self.synced,
            Fsync::Everysec | Fsync::No if is_sound => self.written,
            _ => self.synced,
        };
        // Those who were answered are not made to wait again for the same.
        core.log.settled = core.log.settled.max(settled);
        core.log.rewriting = self.rewrite.is_some();
        core.log.bytes = self.other_bytes + self.file_bytes;
    }
}

/// Reads the files of a store; a torn end is cut off.
fn read_back(core: &mut Core, options: &AppendOnly, manifest: &Manifest) -> Result<load::Loaded, LoadError> {
    let began = Instant::now();
    let loaded = load::load(core, &*options.disk, &options.folder, manifest, &|| true)?;
    if let Some(torn) = &loaded.torn {
        let kept =
            load::cut(&*options.disk, torn).map_err(|source| LoadError::Io { file: torn.file.clone(), source })?;
        tracing::warn!(
            file = %torn.file.display(), bytes = torn.bytes, kept = %kept.display(),
            "the append-only file ended in the middle of a write; its end was cut off"
        );
    }
    if loaded.commands > 0 {
        let (keys, bytes, ms) = (core.db.len(), loaded.bytes, began.elapsed().as_millis() as u64);
        tracing::info!(keys, commands = loaded.commands, bytes, ms, "the append-only file was read");
    }
    core.db.dirty = 0;
    core.stats = Default::default();
    core.tick();
    Ok(loaded)
}
