//! The data folder: one process at a time, and an identity that outlives it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::{Exit, Fatal};

/// The folder, locked for as long as this value lives. The kernel frees the lock when the process ends, however it
/// ends, so holding it proves that every earlier process with this folder is gone.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    owner: String,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder where there is none, and locks it.
    pub fn open(path: &Path) -> Result<Self, Fatal> {
        fs::create_dir_all(path).map_err(|error| unusable(path, error))?;
        let path = path.canonicalize().map_err(|error| unusable(path, error))?;
        let lock = lock(&path)?;
        let owner = owner(&path).map_err(|error| unusable(&path, error))?;
        Ok(Self { path, owner, _lock: lock })
    }

    /// The folder's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Identity of the folder, made at its first use: whoever holds the lock is the node that it belonged to before.
    pub fn owner(&self) -> &str {
        &self.owner
    }
}

fn lock(path: &Path) -> Result<File, Fatal> {
    let name = path.join("lock");
    let options = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&name);
    let mut file = options.map_err(|error| unusable(path, error))?;
    match file.try_lock() {
        Ok(()) => {
            note_holder(&mut file).map_err(|error| unusable(path, error))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(locked(path, &mut file)),
        Err(TryLockError::Error(error)) => Err(unusable(path, error)),
    }
}

/// The process id is for people; only the lock itself counts.
fn note_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn locked(path: &Path, file: &mut File) -> Fatal {
    let mut holder = String::new();
    let read = file.read_to_string(&mut holder);
    let by = match read {
        Ok(_) if !holder.trim().is_empty() => format!("process {}", holder.trim()),
        _ => "another process".to_owned(),
    };
    Fatal::new(Exit::DataLocked, format!("{by} uses the data folder {}", path.display()))
        .hint("stop it, or give this one a folder of its own with data.dir")
}

fn owner(path: &Path) -> io::Result<String> {
    let name = path.join("owner");
    match fs::read_to_string(&name) {
        Ok(text) if Uuid::try_parse(text.trim()).is_ok() => Ok(text.trim().to_owned()),
        Ok(_) => write_owner(&name),
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_owner(&name),
        Err(error) => Err(error),
    }
}

fn write_owner(name: &Path) -> io::Result<String> {
    let owner = Uuid::new_v4().to_string();
    fs::write(name, format!("{owner}\n"))?;
    Ok(owner)
}

fn unusable(path: &Path, error: io::Error) -> Fatal {
    Fatal::new(Exit::DataUnusable, format!("the data folder {} cannot be used", path.display()))
        .because(error)
        .hint("data.dir has to be a folder that this user may write to")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_for_one_process_and_keeps_its_identity() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = root.path().join("a/b");
        let first = DataFolder::open(&path).expect("a new folder");
        let second = DataFolder::open(&path).expect_err("it is locked");
        assert_eq!(second.exit(), Exit::DataLocked);
        assert!(second.to_string().contains(&std::process::id().to_string()), "{second}");
        let owner = first.owner().to_owned();
        drop(first);
        assert_eq!(DataFolder::open(&path).expect("free again").owner(), owner);
    }

    #[test]
    fn a_file_in_its_place_is_told_and_left_alone() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = root.path().join("file");
        fs::write(&path, "mine").expect("a file");
        assert_eq!(DataFolder::open(&path).expect_err("not a folder").exit(), Exit::DataUnusable);
        assert_eq!(fs::read_to_string(&path).expect("still there"), "mine");
    }
}
