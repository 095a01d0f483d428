//! `oneseat store`: what the embedded store keeps on disk, looked at, checked, mended, exported and imported.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Shared, output};
use crate::embedded::aof::disk::{Disk, LocalDisk};
use crate::embedded::aof::folder::{Report, StandardOutput, StoreFolder};
use crate::embedded::aof::load::{LoadError, Torn};
use crate::error::{Exit, Fatal};
use crate::serve::folder::DataFolder;
use crate::serve::store::APPEND_ONLY_FOLDER;

/// The help of `oneseat store`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat store info                     # files, keys by type
  oneseat store check                    # reads everything; exit code 4 and the place when it is damaged
  oneseat store check --fix              # cuts it back to where it is sound; what is cut off is kept beside
  oneseat store export backup.resp       # also beside a running server
  oneseat store import backup.resp       # into a folder without a store; --replace to put it in its place
  redis-cli --pipe < backup.resp         # the same content into a Redis
The folder `appendonlydir` in it is a Redis append-only folder: `redis-server --appendonly yes --dir data` starts on it.")]
pub struct Store {
    #[command(subcommand)]
    action: Action,
    /// The data folder, instead of data.dir of the configuration.
    #[arg(long, value_name = "FOLDER", global = true)]
    dir: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Show the files and what is in them.
    Info,
    /// Read everything and tell whether it is sound.
    Check {
        /// Cut back what is torn or damaged; the server must not run.
        #[arg(long)]
        fix: bool,
    },
    /// Write all keys as commands.
    Export {
        /// The file to make, or - for standard output.
        file: PathBuf,
    },
    /// Make a store of a file of commands; the server must not run.
    Import {
        /// A file that `export` made, or any file of Redis commands in RESP.
        file: PathBuf,
        /// Put it in the place of the store that is there.
        #[arg(long)]
        replace: bool,
    },
}

impl Store {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        let config = shared.load()?.config;
        crate::log::start(&config.log)?;
        let data = self.dir.unwrap_or(config.data.dir);
        let store = StoreFolder::new(data.join(APPEND_ONLY_FOLDER));
        match self.action {
            Action::Info => info(&store, shared),
            Action::Check { fix: false } => check(&store, shared),
            Action::Check { fix: true } => fix(&store, &data, shared),
            Action::Export { file } => export(&store, &file, shared),
            Action::Import { file, replace } => import(&store, &data, &file, replace, shared),
        }
    }
}

/// The error that tells why a store on disk cannot be read, and what to do.
pub fn unreadable(error: LoadError) -> Fatal {
    let hint = match &error {
        LoadError::Damaged { .. } => {
            Some("`oneseat store check --fix` cuts it back to there and keeps the rest beside")
        }
        LoadError::Foreign { .. } => Some("it was written for another store; see src/embedded/COMMANDS.md"),
        LoadError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Some("name the data folder with --dir or data.dir")
        }
        LoadError::Io { .. } | LoadError::Rdb { .. } => None,
    };
    let fatal = Fatal::new(Exit::DataUnusable, "the store cannot be read").because(error);
    match hint {
        Some(hint) => fatal.hint(hint),
        None => fatal,
    }
}

fn info(store: &StoreFolder, shared: &Shared) -> Result<Exit, Fatal> {
    let report = store.report().map_err(unreadable)?;
    if shared.json {
        output::line(to_json(&report))?;
        return Ok(Exit::Ok);
    }
    let rows = report.files.iter().map(|(path, bytes)| [path.display().to_string(), bytes.to_string()]);
    output::table(["FILE", "BYTES"], rows)?;
    output::line("")?;
    let types = report.keys.iter().map(|(kind, count)| [(*kind).to_string(), count.to_string()]);
    output::table(["TYPE", "KEYS"], types)?;
    output::line(format_args!(
        "\n{} keys, {} of them with a deadline, from {} commands; digest {:016x}",
        report.keys.values().sum::<usize>(),
        report.expiring,
        report.commands,
        report.digest
    ))?;
    tell_torn(report.torn.as_ref())?;
    Ok(Exit::Ok)
}

fn to_json(report: &Report) -> serde_json::Value {
    let files = report.files.iter().map(|(path, bytes)| json!({ "file": path.display().to_string(), "bytes": bytes }));
    let torn = report
        .torn
        .as_ref()
        .map(|torn| json!({ "file": torn.file.display().to_string(), "offset": torn.offset, "bytes": torn.bytes }));
    json!({
        "files": files.collect::<Vec<_>>(),
        "keys": report.keys,
        "expiring": report.expiring,
        "commands": report.commands,
        "digest": format!("{:016x}", report.digest),
        "torn": torn,
    })
}

fn tell_torn(torn: Option<&Torn>) -> Result<(), Fatal> {
    let Some(Torn { file, offset, bytes }) = torn else { return Ok(()) };
    output::line(format_args!(
        "{} ends in the middle of a write: its last {bytes} bytes, from byte {offset}, are cut off at the next start",
        file.display()
    ))
}

fn check(store: &StoreFolder, shared: &Shared) -> Result<Exit, Fatal> {
    let report = store.report().map_err(unreadable)?;
    if shared.json {
        output::line(to_json(&report))?;
        return Ok(Exit::Ok);
    }
    let bytes: u64 = report.files.iter().map(|(_, bytes)| bytes).sum();
    output::line(format_args!("sound: {} files, {bytes} bytes, {} commands", report.files.len(), report.commands))?;
    tell_torn(report.torn.as_ref())?;
    Ok(Exit::Ok)
}

fn fix(store: &StoreFolder, data: &Path, shared: &Shared) -> Result<Exit, Fatal> {
    let _lock = if store.exists() { Some(DataFolder::open(data)?) } else { None };
    let mended = store.mend().map_err(unreadable)?;
    if shared.json {
        let mended = mended.as_ref().map(|mended| {
            let kept: Vec<String> = mended.kept.iter().map(|path| path.display().to_string()).collect();
            json!({ "file": mended.file.display().to_string(), "offset": mended.offset, "kept": kept })
        });
        output::line(json!({ "mended": mended }))?;
        return Ok(Exit::Ok);
    }
    let Some(mended) = mended else {
        output::line("sound: there is nothing to mend")?;
        return Ok(Exit::Ok);
    };
    output::line(format_args!("cut back {} to {} bytes; kept:", mended.file.display(), mended.offset))?;
    for path in &mended.kept {
        output::line(format_args!("  {}", path.display()))?;
    }
    Ok(Exit::Ok)
}

fn export(store: &StoreFolder, file: &Path, shared: &Shared) -> Result<Exit, Fatal> {
    if file.as_os_str() == "-" {
        store.export(&StandardOutput).map_err(unreadable)?;
        return Ok(Exit::Ok);
    }
    let failed = |error| Fatal::new(Exit::Failed, format!("cannot write {}", file.display())).because(error);
    if file.exists() {
        let why = format!("{} is there already", file.display());
        return Err(Fatal::new(Exit::Usage, why).hint("name a file that does not exist"));
    }
    let target = LocalDisk.append_to(file).map_err(failed)?;
    let exported = store.export(&*target).map_err(unreadable);
    if exported.is_err() {
        // A file with nothing, or half of it, would look like a backup.
        let _ = LocalDisk.remove(file);
    }
    let keys = exported?;
    target.sync().map_err(failed)?;
    tell_keys("exported", keys, shared)
}

fn import(store: &StoreFolder, data: &Path, file: &Path, replace: bool, shared: &Shared) -> Result<Exit, Fatal> {
    let _lock = DataFolder::open(data)?;
    if store.exists() && !replace {
        let why = format!("{} has a store already", data.display());
        return Err(Fatal::new(Exit::Usage, why).hint("--replace puts the file in its place"));
    }
    let keys = store.import(file).map_err(|error| {
        Fatal::new(Exit::Failed, "nothing was imported").because(error).hint("the store is as it was")
    })?;
    tell_keys("imported", keys, shared)
}

fn tell_keys(done: &str, keys: usize, shared: &Shared) -> Result<Exit, Fatal> {
    match shared.json {
        true => output::line(json!({ done: keys }))?,
        false => output::line(format_args!("{done} {keys} keys"))?,
    }
    Ok(Exit::Ok)
}
