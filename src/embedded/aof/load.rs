//! Reading the store back: all files of the manifest, in order, into a keyspace.
//!
//! The end of the last file may be torn by a crash: an unfinished unit there was never acknowledged under `always`,
//! and is cut off and kept beside the file. Anything else that does not read is damage, and nothing is started on it.
//! While reading, time stands at zero, so that no key expires and each effect does what it did.

use std::cell::Cell;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::disk::Disk;
use super::frame;
use super::manifest::Manifest;
use super::reader::{Flaw, Reader};
use crate::embedded::clock::EngineClock;
use crate::embedded::core::Core;
use crate::embedded::engine::{resolve, run_plain};
use crate::embedded::fault::Fault;
use crate::embedded::reply::Output;
use crate::embedded::spec::flag;

/// Time between two lines about the progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Why a store cannot be read.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("{}: {source}", file.display())]
    Io { file: PathBuf, source: io::Error },
    #[error(
        "{} is in Redis' RDB format, which is not read; on the Redis that wrote it run \
         `CONFIG SET aof-use-rdb-preamble no` and `BGREWRITEAOF`, and copy the folder again", file.display()
    )]
    Rdb { file: PathBuf },
    #[error("{} is damaged at byte {offset} of {length}: {why}{}", file.display(), resumes_text(*resumes))]
    Damaged { file: PathBuf, offset: u64, length: u64, why: String, resumes: Option<u64> },
    #[error("{} at byte {offset}: `{command}` cannot be replayed: {why}", file.display())]
    Foreign { file: PathBuf, offset: u64, command: String, why: String },
}

fn resumes_text(resumes: Option<u64>) -> String {
    resumes.map(|offset| format!("; whole batches follow from byte {offset}")).unwrap_or_default()
}

/// An unfinished end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    pub file: PathBuf,
    /// Where the last whole unit ends.
    pub offset: u64,
    /// Bytes behind it.
    pub bytes: u64,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Loaded {
    pub commands: u64,
    /// Bytes of all files that were good.
    pub bytes: u64,
    /// Bytes of the last file that were good.
    pub last_bytes: u64,
    pub torn: Option<Torn>,
}

/// A state to read into whose time stands still.
pub fn still_core() -> Core {
    Core::new(EngineClock::Manual(Rc::new(Cell::new(0))), false)
}

/// Reads all files of a manifest into a state; it is left as it is from the first flaw on. `go_on` is asked from time
/// to time.
pub fn load(
    core: &mut Core,
    disk: &dyn Disk,
    folder: &Path,
    manifest: &Manifest,
    go_on: &dyn Fn() -> bool,
) -> Result<Loaded, LoadError> {
    let files: Vec<PathBuf> = manifest.parts().map(|part| folder.join(&part.name)).collect();
    let lengths: Result<Vec<u64>, LoadError> = files.iter().map(|file| length(disk, file)).collect();
    let lengths = lengths?;
    let total = lengths.iter().sum();
    let mut replay = Replay::new(core, total, go_on);
    let mut loaded = Loaded::default();
    for (index, file) in files.iter().enumerate() {
        // A crash between listing a new file and beginning to write to it leaves that one empty.
        // A base was synced before it was listed, so no crash tears it.
        let is_base = index == 0 && manifest.base.is_some();
        let is_last = !is_base && lengths[index + 1..].iter().all(|length| *length == 0);
        let torn = replay.file(disk, file, is_last)?;
        loaded.last_bytes = torn.as_ref().map_or(lengths[index], |torn| torn.offset);
        loaded.bytes += loaded.last_bytes;
        loaded.torn = loaded.torn.or(torn);
    }
    loaded.commands = replay.commands;
    Ok(loaded)
}

fn length(disk: &dyn Disk, file: &Path) -> Result<u64, LoadError> {
    disk.length(file).map_err(|source| LoadError::Io { file: file.to_path_buf(), source })
}

/// Reads one file of commands, wherever it comes from, into a state; its torn end if it has one.
pub fn load_file(core: &mut Core, disk: &dyn Disk, file: &Path) -> Result<Option<Torn>, LoadError> {
    let total = length(disk, file)?;
    let mut replay = Replay::new(core, total, &|| true);
    // Such a file may hold what counts from now on, as EXPIRE does.
    replay.core.now_us = EngineClock::System.now_us();
    replay.core.db.now_ms = replay.core.now_us / 1000;
    replay.file(disk, file, true)
}

/// A unit that is being read.
struct Unit {
    offset: u64,
    commands: Vec<Vec<Vec<u8>>>,
}

/// A replay under way.
struct Replay<'a> {
    core: &'a mut Core,
    out: Output,
    commands: u64,
    done_bytes: u64,
    total_bytes: u64,
    told: Instant,
    go_on: &'a dyn Fn() -> bool,
}

impl<'a> Replay<'a> {
    fn new(core: &'a mut Core, total_bytes: u64, go_on: &'a dyn Fn() -> bool) -> Replay<'a> {
        core.now_us = 0;
        core.db.now_ms = 0;
        Replay { core, out: Output::new(false), commands: 0, done_bytes: 0, total_bytes, told: Instant::now(), go_on }
    }

    /// Replays one file; its torn end if it has one and may have one.
    fn file(&mut self, disk: &dyn Disk, file: &Path, is_last: bool) -> Result<Option<Torn>, LoadError> {
        let failed = |source| LoadError::Io { file: file.to_path_buf(), source };
        let mut begin = Vec::new();
        disk.read(file).and_then(|source| source.take(5).read_to_end(&mut begin)).map_err(failed)?;
        if begin == b"REDIS" {
            return Err(LoadError::Rdb { file: file.to_path_buf() });
        }
        let mut reader = Reader::new(disk.read(file).map_err(failed)?);
        let mut unit = None;
        let flaw = loop {
            let offset = reader.next_offset();
            match reader.advance() {
                Ok(Some((args, batch))) => {
                    // An error is told at the place up to which all is well.
                    let offset = unit.as_ref().map_or(batch.unwrap_or(offset), |unit: &Unit| unit.offset);
                    self.step(&args, batch.is_some(), offset, &mut unit).map_err(|(command, why)| {
                        LoadError::Foreign { file: file.to_path_buf(), offset, command, why }
                    })?;
                }
                Ok(None) if unit.is_none() => {
                    self.done_bytes += offset;
                    return Ok(None);
                }
                Ok(None) => break Flaw::Unfinished,
                Err(flaw) => break flaw,
            }
            self.progress(offset).map_err(failed)?;
        };
        let offset = unit.map_or(reader.sound_offset(), |unit| unit.offset);
        judge(disk, file, offset, flaw, is_last, reader.batches > 0).map(Some)
    }

    /// Takes one command: runs it, or keeps it until its unit is known to be whole. An error is the command's name
    /// and what is wrong with it.
    fn step(
        &mut self,
        args: &[&[u8]],
        is_whole: bool,
        offset: u64,
        unit: &mut Option<Unit>,
    ) -> Result<(), (String, String)> {
        let (is_multi, is_exec) = (args[0].eq_ignore_ascii_case(b"multi"), args[0].eq_ignore_ascii_case(b"exec"));
        if is_whole && unit.is_none() {
            return if is_multi || is_exec { Ok(()) } else { self.run(args) };
        }
        match unit {
            None if is_multi => *unit = Some(Unit { offset, commands: Vec::new() }),
            None => self.run(args)?,
            Some(_) if is_exec => {
                for command in unit.take().into_iter().flat_map(|unit| unit.commands) {
                    self.run(&command.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
                }
            }
            Some(unit) => unit.commands.push(args.iter().map(|arg| arg.to_vec()).collect()),
        }
        Ok(())
    }

    fn run(&mut self, args: &[&[u8]]) -> Result<(), (String, String)> {
        self.out.buffer.clear();
        self.commands += 1;
        let outcome = resolve(args).and_then(|spec| {
            if !spec.has(flag::WRITE) && spec.name != "select" {
                return Err(Fault::new("it changes nothing"));
            }
            run_plain(self.core, spec, args, &mut self.out)
        });
        outcome.map_err(|fault| {
            (String::from_utf8_lossy(args[0]).into_owned(), String::from_utf8_lossy(&fault.text).into_owned())
        })
    }

    fn progress(&mut self, offset: u64) -> io::Result<()> {
        if !self.commands.is_multiple_of(4096) {
            return Ok(());
        }
        if !(self.go_on)() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the store is stopping"));
        }
        if self.told.elapsed() < PROGRESS_EVERY {
            return Ok(());
        }
        self.told = Instant::now();
        let percent = 100 * (self.done_bytes + offset) / self.total_bytes.max(1);
        tracing::info!(percent, keys = self.core.db.len(), "the append-only file is being read");
        Ok(())
    }
}

/// Tells a torn end from damage. Only the last file may be torn, and nothing whole may follow; what reads wrong,
/// instead of just ending, counts as torn only in a file of ours, where a crash may leave anything behind the last
/// batch that was synced.
fn judge(disk: &dyn Disk, file: &Path, offset: u64, flaw: Flaw, is_last: bool, ours: bool) -> Result<Torn, LoadError> {
    let failed = |source| LoadError::Io { file: file.to_path_buf(), source };
    if let Flaw::Io(source) = flaw {
        return Err(failed(source));
    }
    let mut bytes = Vec::new();
    disk.read(file).and_then(|mut source| source.read_to_end(&mut bytes)).map_err(failed)?;
    let length = bytes.len() as u64;
    let resumes = frame::find_batch(&bytes, offset as usize + 1).map(|at| at as u64);
    let rest = &bytes[(offset as usize).min(bytes.len())..];
    let is_blank = rest.starts_with(b"#") || rest.iter().all(|byte| *byte == 0);
    let may_be_torn = matches!(flaw, Flaw::Unfinished) || ours || is_blank;
    if is_last && resumes.is_none() && may_be_torn {
        return Ok(Torn { file: file.to_path_buf(), offset, bytes: length - offset });
    }
    Err(LoadError::Damaged { file: file.to_path_buf(), offset, length, why: flaw.to_string(), resumes })
}

/// Cuts a torn end off and keeps it beside the file, so that nothing is lost for good.
pub fn cut(disk: &dyn Disk, torn: &Torn) -> io::Result<PathBuf> {
    let mut bytes = Vec::new();
    disk.read(&torn.file)?.read_to_end(&mut bytes)?;
    let names = (0..).map(|number| match number {
        0 => format!("{}.cut-{}", torn.file.display(), torn.offset),
        _ => format!("{}.cut-{}-{number}", torn.file.display(), torn.offset),
    });
    let kept = names.map(PathBuf::from).find(|name| disk.length(name).is_err()).unwrap_or_default();
    let copy = disk.append_to(&kept)?;
    copy.append(&bytes[(torn.offset as usize).min(bytes.len())..])?;
    copy.sync()?;
    if let Some(folder) = torn.file.parent() {
        disk.sync_folder(folder)?;
    }
    let file = disk.append_to(&torn.file)?;
    file.truncate(torn.offset)?;
    file.sync()?;
    Ok(kept)
}
