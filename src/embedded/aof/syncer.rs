//! The thread that syncs under `everysec`, so that the owner of the data never waits for the disk.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::disk::DiskFile;
use super::journal::{Event, Notify};

/// The thread. Dropping it lets it finish what it was given, and waits for it.
pub struct Syncer {
    requests: Option<Sender<(Arc<dyn DiskFile>, u64)>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub fn start(notify: Notify) -> Syncer {
        let (requests, receiver) = channel::<(Arc<dyn DiskFile>, u64)>();
        let thread = std::thread::spawn(move || {
            for (file, position) in receiver {
                notify.tell(Event::Synced(position, file.sync()));
            }
        });
        Syncer { requests: Some(requests), thread: Some(thread) }
    }

    /// Has a file synced, and tells the owner then that all up to a position is safe.
    pub fn sync(&self, file: Arc<dyn DiskFile>, position: u64) {
        if let Some(requests) = &self.requests {
            // The thread lives as long as this value.
            let _ = requests.send((file, position));
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that syncs the append-only file had panicked");
        }
    }
}
