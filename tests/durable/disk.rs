//! A disk that can crash: it remembers what was synced, and after a crash keeps that and whatever chance leaves of the
//! rest. It can also be full, and fail to sync.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use oneseat::embedded::aof::disk::{Disk, DiskFile};

use crate::dice::Dice;

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    contents: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    /// Bytes that may still be appended.
    room: Option<usize>,
    sync_failures: usize,
    folder_sync_failures: usize,
    syncs: usize,
}

/// The disk.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct FaultyFile {
    state: Arc<Mutex<State>>,
    index: usize,
}

impl FaultyDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the disk")
    }

    /// What a machine that crashes now finds when it comes up again.
    pub fn crash(&self, dice: &mut Dice) -> FaultyDisk {
        let state = self.state();
        let contents = state.contents.iter().map(|content| {
            let bytes = after_crash(content, dice);
            Content { synced: bytes.clone(), bytes }
        });
        let contents = contents.collect();
        let mut names = state.synced_names.clone();
        for (path, index) in &state.names {
            if names.get(path) != Some(index) && dice.below(2) == 0 {
                names.insert(path.clone(), *index);
            }
        }
        for path in state.synced_names.keys() {
            if !state.names.contains_key(path) && dice.below(2) == 0 {
                names.remove(path);
            }
        }
        let state = State { contents, synced_names: names.clone(), names, ..State::default() };
        FaultyDisk { state: Arc::new(Mutex::new(state)) }
    }

    /// Leaves room for so many bytes.
    pub fn fill_up_to(&self, bytes: usize) {
        self.state().room = Some(bytes);
    }

    pub fn make_room(&self) {
        self.state().room = None;
    }

    /// Lets the next syncs fail, as a broken device does: what was not synced is gone.
    pub fn fail_syncs(&self, count: usize) {
        self.state().sync_failures = count;
    }

    /// Lets the next syncs of folders fail.
    pub fn fail_folder_syncs(&self, count: usize) {
        self.state().folder_sync_failures = count;
    }

    pub fn syncs(&self) -> usize {
        self.state().syncs
    }

    /// Whether nothing would be lost now.
    pub fn is_synced(&self) -> bool {
        let state = self.state();
        state.names.values().all(|index| state.contents[*index].bytes == state.contents[*index].synced)
    }
}

/// What chance leaves of a file: all that was synced, and of the rest a part, perhaps torn.
fn after_crash(content: &Content, dice: &mut Dice) -> Vec<u8> {
    let Content { bytes, synced } = content;
    if !bytes.starts_with(synced) {
        return if dice.below(2) == 0 { synced.clone() } else { bytes.clone() };
    }
    let extra = bytes.len() - synced.len();
    if extra == 0 {
        return bytes.clone();
    }
    let kept = synced.len() + dice.below(extra as u64 + 1) as usize;
    let mut left = bytes[..kept].to_vec();
    match dice.below(4) {
        0 => left.truncate(synced.len()),
        1 => left.resize(bytes.len(), 0),
        2 => left.extend((kept..bytes.len()).map(|_| dice.below(256) as u8)),
        _ => {}
    }
    left
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} is not there", path.display()))
}

impl DiskFile for FaultyFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().expect("no test panics while it holds the disk");
        let fits = state.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        if let Some(room) = &mut state.room {
            *room -= fits;
        }
        state.contents[self.index].bytes.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.state.lock().expect("no test panics while it holds the disk");
        state.contents[self.index].bytes.resize(length as usize, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock().expect("no test panics while it holds the disk");
        state.syncs += 1;
        if state.sync_failures > 0 {
            state.sync_failures -= 1;
            let content = &mut state.contents[self.index];
            content.bytes = content.synced.clone();
            return Err(io::Error::other("input/output error"));
        }
        let content = &mut state.contents[self.index];
        content.synced = content.bytes.clone();
        Ok(())
    }
}

impl Disk for FaultyDisk {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn append_to(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let index = match state.names.get(file) {
            Some(index) => *index,
            None => {
                state.contents.push(Content::default());
                let index = state.contents.len() - 1;
                state.names.insert(file.to_path_buf(), index);
                index
            }
        };
        Ok(Arc::new(FaultyFile { state: Arc::clone(&self.state), index }))
    }

    fn read(&self, file: &Path) -> io::Result<Box<dyn Read + Send>> {
        let state = self.state();
        let index = *state.names.get(file).ok_or_else(|| not_found(file))?;
        Ok(Box::new(Cursor::new(state.contents[index].bytes.clone())))
    }

    fn length(&self, file: &Path) -> io::Result<u64> {
        let state = self.state();
        let index = *state.names.get(file).ok_or_else(|| not_found(file))?;
        Ok(state.contents[index].bytes.len() as u64)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let index = state.names.remove(from).ok_or_else(|| not_found(from))?;
        state.names.insert(to.to_path_buf(), index);
        Ok(())
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.state().names.remove(file).map(drop).ok_or_else(|| not_found(file))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.state().names.keys().filter(|path| path.parent() == Some(folder)).cloned().collect())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.folder_sync_failures > 0 {
            state.folder_sync_failures -= 1;
            return Err(io::Error::other("input/output error"));
        }
        state.synced_names = state.names.clone();
        Ok(())
    }
}
