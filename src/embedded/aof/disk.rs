//! The files under the append-only file: the few operations it needs, and the machine's own file system.
//!
//! It is a seam on purpose: tests put a disk below the store that forgets what was not synced, tears the last write,
//! or fails. Contracts are those of POSIX: what was appended survives the process at once, but a crash of the machine
//! only after `sync`; a new, renamed or removed name survives a crash only after `sync_folder`.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that grows at its end.
pub trait DiskFile: Send + Sync + Debug {
    /// Appends all bytes; after an error any part of them may be there.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file back to a length.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Forces what was appended to the disk. After an error nothing is known of what was appended since the last one.
    fn sync(&self) -> io::Result<()>;
}

/// A file system.
pub trait Disk: Send + Sync + Debug {
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// Opens a file for appending, and makes it where there is none.
    fn append_to(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>>;
    fn read(&self, file: &Path) -> io::Result<Box<dyn Read + Send>>;
    fn length(&self, file: &Path) -> io::Result<u64>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, file: &Path) -> io::Result<()>;
    /// The files of a folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// Makes new, renamed and removed names of a folder last.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDisk;

impl DiskFile for File {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(bytes)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

impl Disk for LocalDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        // What is in it is nobody else's to read, as the socket.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
    }

    fn append_to(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenOptions::new().create(true).append(true).open(file)?))
    }

    fn read(&self, file: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(file)?))
    }

    fn length(&self, file: &Path) -> io::Result<u64> {
        Ok(fs::metadata(file)?.len())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}
