//! The folder of a store from outside: what is in it, whether it is sound, and its content in and out.
//!
//! Reading is possible beside a running store: what it appends meanwhile is simply not seen, or looks like a torn end.
//! Changing (`mend`, `import`) is for a store that nobody serves; whoever calls that holds the lock of the folder.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, DiskFile, LocalDisk};
use super::dump::{self, Form};
use super::load::{self, LoadError, Loaded, Torn};
use super::manifest::Manifest;
use super::rewrite::{remove_parts, write_base};
use crate::embedded::core::Core;
use crate::embedded::keyspace::Entry;

/// Attempts to read while a running store replaces its files.
const ATTEMPTS: usize = 5;

/// A store's folder.
#[derive(Clone, Debug)]
pub struct StoreFolder {
    folder: PathBuf,
}

/// What is in a store.
#[derive(Debug)]
pub struct Report {
    /// The files with their lengths in bytes, in the order in which they are read.
    pub files: Vec<(PathBuf, u64)>,
    pub commands: u64,
    /// Keys by type, and those that have a deadline.
    pub keys: BTreeMap<&'static str, usize>,
    pub expiring: usize,
    /// Digest of all keys, values and deadlines.
    pub digest: u64,
    pub torn: Option<Torn>,
}

/// The keys of a store, read into memory.
pub struct Content {
    core: Core,
    /// The unfinished end that was left out.
    pub torn: Option<Torn>,
}

impl Content {
    /// Every key, also one whose deadline has passed.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.core.db.iter().map(|(key, entry)| Record { key, entry })
    }
}

/// A key with its value and deadline.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    pub key: &'a [u8],
    entry: &'a Entry,
}

impl<'a> Record<'a> {
    /// The name that TYPE answers.
    pub fn kind(&self) -> &'static str {
        self.entry.value.type_name()
    }

    /// Milliseconds since 1970; none for a key that stays.
    pub fn deadline_ms(&self) -> Option<u64> {
        Some(self.entry.deadline_ms).filter(|deadline| *deadline != 0)
    }

    /// What the value consists of, word by word as the command takes it that adds to such a value: items, members,
    /// fields with values, scores with members. Nothing for a stream.
    pub fn cells(&self) -> impl Iterator<Item = Cow<'a, [u8]>> + use<'a> {
        dump::elements(&self.entry.value).ok().into_iter().flat_map(|elements| elements.cells)
    }
}

/// What mending took away.
#[derive(Debug)]
pub struct Mended {
    pub file: PathBuf,
    pub offset: u64,
    /// Where the bytes behind it are kept.
    pub kept: Vec<PathBuf>,
}

impl StoreFolder {
    /// A folder with a manifest, or one that has none yet.
    pub fn new(folder: PathBuf) -> StoreFolder {
        StoreFolder { folder }
    }

    fn failed(&self, source: io::Error) -> LoadError {
        LoadError::Io { file: self.folder.clone(), source }
    }

    fn manifest(&self) -> Result<Manifest, LoadError> {
        match Manifest::read(&LocalDisk, &self.folder) {
            Ok(Some(manifest)) => Ok(manifest),
            Ok(None) => Err(self.failed(io::Error::new(io::ErrorKind::NotFound, "there is no store in this folder"))),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Whether there is a store.
    pub fn exists(&self) -> bool {
        matches!(Manifest::read(&LocalDisk, &self.folder), Ok(Some(_)))
    }

    fn load(&self) -> Result<(Core, Manifest, Loaded), LoadError> {
        let mut attempt = 1;
        loop {
            let manifest = self.manifest()?;
            let mut core = load::still_core();
            match load::load(&mut core, &LocalDisk, &self.folder, &manifest, &|| true) {
                Ok(loaded) => return Ok((core, manifest, loaded)),
                // A rewrite has just ended and removed what the manifest listed a moment ago.
                Err(LoadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// No store, files that cannot be read, and damage with its place.
    pub fn report(&self) -> Result<Report, LoadError> {
        let (core, manifest, loaded) = self.load()?;
        let paths = manifest.parts().map(|part| self.folder.join(&part.name));
        let files = paths.map(|path| Ok((path.clone(), LocalDisk.length(&path)?))).collect::<io::Result<_>>();
        let mut keys = BTreeMap::new();
        for (_, entry) in core.db.iter() {
            *keys.entry(entry.value.type_name()).or_default() += 1;
        }
        Ok(Report {
            files: files.map_err(|error| self.failed(error))?,
            commands: loaded.commands,
            keys,
            expiring: core.db.expiring(),
            digest: crate::embedded::digest::of_keyspace(&core.db),
            torn: loaded.torn,
        })
    }

    /// Cuts the store back to the last place up to which it is sound; none when all of it is. Everything behind that
    /// place is kept in files beside, also what would read again: effects behind a gap would not mean what they meant.
    ///
    /// # Errors
    /// Files that cannot be read or written, and an RDB file, which is not ours to cut.
    pub fn mend(&self) -> Result<Option<Mended>, LoadError> {
        let (file, offset) = match self.load() {
            Ok((_, _, Loaded { torn: None, .. })) => return Ok(None),
            Ok((_, _, Loaded { torn: Some(torn), .. })) => (torn.file, torn.offset),
            Err(LoadError::Damaged { file, offset, .. } | LoadError::Foreign { file, offset, .. }) => (file, offset),
            Err(error) => return Err(error),
        };
        let files = self.manifest()?.parts().map(|part| self.folder.join(&part.name)).collect::<Vec<_>>();
        let mut kept = Vec::new();
        let damaged = files.iter().position(|path| *path == file).unwrap_or(0);
        // From the end on, so that whatever interrupts this leaves no gap in the middle.
        for path in files.into_iter().skip(damaged).rev() {
            let offset = if path == file { offset } else { 0 };
            let bytes = LocalDisk.length(&path).map_err(|error| self.failed(error))? - offset;
            if bytes > 0 {
                let torn = Torn { file: path, offset, bytes };
                kept.push(load::cut(&LocalDisk, &torn).map_err(|error| self.failed(error))?);
            }
        }
        Ok(Some(Mended { file, offset, kept }))
    }

    /// Reads all of it, for whoever wants the values.
    ///
    /// # Errors
    /// As for `report`.
    pub fn content(&self) -> Result<Content, LoadError> {
        let (core, _, Loaded { torn, .. }) = self.load()?;
        Ok(Content { core, torn })
    }

    /// Writes all keys as commands, for `import` or `redis-cli --pipe`; the number of keys.
    ///
    /// # Errors
    /// As for `report`, and whatever the target answers.
    pub fn export(&self, to: &dyn DiskFile) -> Result<usize, LoadError> {
        let (core, _, _) = self.load()?;
        dump::write(&core.db, to, Form::Plain, || true).map_err(|error| self.failed(error))?;
        Ok(core.db.len())
    }

    /// Makes a store of a file of commands; the number of keys. A store that is there is replaced, and its files are
    /// removed once the new one is safe.
    ///
    /// # Errors
    /// A file that cannot be read to its end changes nothing.
    pub fn import(&self, file: &Path) -> Result<usize, LoadError> {
        let mut core = load::still_core();
        if let Some(Torn { file, offset, bytes }) = load::load_file(&mut core, &LocalDisk, file)? {
            let why = "the file ends in the middle of a command".to_string();
            return Err(LoadError::Damaged { file, offset, length: offset + bytes, why, resumes: None });
        }
        self.replace(&core).map_err(|error| self.failed(error))?;
        Ok(core.db.len())
    }

    fn replace(&self, core: &Core) -> io::Result<()> {
        LocalDisk.create_folder(&self.folder)?;
        let before = Manifest::find(&LocalDisk, &self.folder)?;
        let after = before.after(1);
        write_base(&core.db, &LocalDisk, &after.base_path(&self.folder), || true)?;
        let increment = LocalDisk.append_to(&after.current(&self.folder).unwrap_or_default())?;
        increment.truncate(0)?;
        increment.sync()?;
        after.write(&LocalDisk, &self.folder)?;
        remove_parts(&LocalDisk, &self.folder, &before);
        Ok(())
    }
}

/// A stream as the target of an export; it cannot be cut back.
#[derive(Debug, Default)]
pub struct StandardOutput;

impl DiskFile for StandardOutput {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        io::Write::write_all(&mut io::stdout().lock(), bytes)
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        io::Write::flush(&mut io::stdout().lock())
    }
}
