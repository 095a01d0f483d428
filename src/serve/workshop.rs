//! The workshop: a node that runs the scripts of a folder, for the one who writes them.
//!
//! It never touches what the fleet runs: nothing is pushed, and other nodes do not notice. Where others share the store
//! it has to be forced, because their sessions would live under other rules than this node's. What it runs has passed
//! its tests: the folder is read once, and the tests get a copy of what was read.

use std::fmt;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::sleep;

use super::Options;
use crate::config::Config;
use crate::error::{Exit, Fatal};
use crate::script::Caller;
use crate::script::active::ActiveSet;
use crate::script::catalogue::{Catalogue, CatalogueError};
use crate::script::tree::Tree;

/// Time between two looks at the folder. Contents are compared instead of asking the kernel for events: editors
/// replace files in many ways, shared folders of containers tell nothing, and a few dozen small files are read at once.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Most failures that one event of the log tells of; `oneseat test` tells all.
const FAILURES_MAX: usize = 20;

/// A folder whose scripts this node runs.
pub struct Workshop {
    dir: PathBuf,
    /// What was in the folder when it passed its tests.
    tree: Tree,
}

/// Why what is in the folder does not run.
#[derive(Debug, Error)]
enum Flaw {
    #[error("the folder cannot be read: {0}")]
    Unreadable(String),
    #[error("the scripts are not well-formed: {0}")]
    Malformed(CatalogueError),
    #[error("the tests cannot be run: {0}")]
    Untestable(io::Error),
    #[error("the scripts did not pass their tests")]
    Failed(Report),
}

impl fmt::Display for Workshop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it runs the scripts of the folder {}, not the fleet's", self.dir.display())
    }
}

impl Workshop {
    /// The folder of `scripts.dir`, where one is set, may be used, and passes its tests.
    pub fn open(config: &Config, options: Options) -> Result<Option<Self>, Fatal> {
        let Some(dir) = folder(config, options)? else { return Ok(None) };
        tracing::info!(folder = %dir.display(), "testing the scripts before the start");
        // Nobody is served yet, so nobody waits for this thread.
        let proven = block_in_place(|| {
            Handle::current().block_on(async {
                let tree = read(&dir).await.map_err(Flaw::Unreadable)?;
                prove(&dir, &tree).await.map(|proof| (tree, proof))
            })
        });
        let (tree, proof) = proven.map_err(|flaw| refused(&dir, flaw))?;
        tracing::info!(tests = proof.tests, "the scripts passed their tests");
        Ok(Some(Self { dir, tree }))
    }

    /// The scripts of the folder, as they were tested, over those of the binary.
    pub fn catalogue(&self) -> Result<Catalogue, Fatal> {
        compose(&self.tree).map_err(|error| refused(&self.dir, Flaw::Malformed(error)))
    }

    /// Tests the folder after every change, and runs it if all tests pass. Until the process ends.
    pub async fn watch(self, caller: Arc<Caller>) {
        tracing::info!(folder = %self.dir.display(), "watching the scripts: every save is tested and runs if it passes");
        let mut seen = Ok(self.tree);
        loop {
            sleep(LOOK_EVERY).await;
            let now = read(&self.dir).await;
            if now != seen {
                seen = now;
                take(&self.dir, seen.as_ref(), &caller).await;
            }
        }
    }
}

/// The folder of `scripts.dir`, where one is set and may be used.
fn folder(config: &Config, options: Options) -> Result<Option<PathBuf>, Fatal> {
    let dir = config.scripts.dir.clone();
    if dir.as_os_str().is_empty() {
        return match options.watch {
            true => Err(Fatal::new(Exit::Usage, "--watch has no folder to watch").hint("name it with scripts.dir")),
            false => Ok(None),
        };
    }
    if !config.redis.url.is_embedded() && !options.force {
        return Err(Fatal::new(Exit::Usage, "scripts.dir is for development, and redis.url is shared with others")
            .hint("`oneseat scripts push` and `activate` change what a fleet runs; --force runs the folder anyway"));
    }
    Ok(Some(dir))
}

/// Why the start is refused.
fn refused(dir: &Path, flaw: Flaw) -> Fatal {
    let unusable = |cause: String| Fatal::new(Exit::Usage, format!("the scripts cannot be used\n{cause}"));
    match flaw {
        Flaw::Unreadable(why) => unusable(why),
        Flaw::Malformed(error) => unusable(error.to_string()),
        Flaw::Untestable(error) => {
            Fatal::new(Exit::Failed, format!("the tests of the folder {} cannot be run", dir.display())).because(error)
        }
        Flaw::Failed(report) => {
            let dir = dir.display();
            let message = format!("the scripts of the folder {dir} did not pass their tests, so they do not run");
            Fatal::new(Exit::Usage, format!("{message}\n{}{}", report.out, report.errors.trim_end()))
        }
    }
}

/// Runs what was read from the folder, if it passes its tests. What changes meanwhile is found by the next look.
async fn take(dir: &Path, read: Result<&Tree, &String>, caller: &Caller) {
    let proven = match read {
        Ok(tree) => prove(dir, tree).await,
        Err(why) => Err(Flaw::Unreadable(why.clone())),
    };
    let proof = match proven {
        Ok(proof) => proof,
        Err(Flaw::Failed(report)) => {
            let failures = report.failures();
            return tracing::warn!(failures, "the scripts did not pass their tests; those from before run on");
        }
        Err(flaw) => return tracing::warn!(error = %flaw, "the scripts cannot be used; those from before run on"),
    };
    match caller.switch(ActiveSet::of_catalogue(&proof.catalogue)).await {
        Ok(()) => tracing::info!(tests = proof.tests, "the scripts passed their tests and run now"),
        Err(error) => tracing::error!(%error, "the scripts cannot be loaded; those from before run on"),
    }
}

/// What is in the folder, or why that cannot be told. A folder may lie on a network drive, so it is read where it makes
/// nobody wait.
async fn read(dir: &Path) -> Result<Tree, String> {
    let dir = dir.to_owned();
    let read = spawn_blocking(move || Tree::read(&dir)).await;
    read.map_err(io::Error::other).flatten().map_err(|error| error.to_string())
}

fn compose(upper: &Tree) -> Result<Catalogue, CatalogueError> {
    Catalogue::from_tree(&Tree::embedded().overlaid(upper))
}

/// Scripts that have passed their tests.
struct Proof {
    catalogue: Catalogue,
    /// How many tests there were, as their report says it.
    tests: String,
}

/// Tests what was read from the folder.
async fn prove(dir: &Path, tree: &Tree) -> Result<Proof, Flaw> {
    let catalogue = compose(tree).map_err(Flaw::Malformed)?;
    // Somebody who begins with an empty folder has nothing to test yet.
    if tree.files().next().is_none() {
        return Ok(Proof { catalogue, tests: "none".to_owned() });
    }
    let report = test(dir, tree.clone()).await.map_err(Flaw::Untestable)?;
    match report.passed {
        true => Ok(Proof { catalogue, tests: report.out.lines().last().unwrap_or_default().to_owned() }),
        false => Err(Flaw::Failed(report)),
    }
}

/// What `oneseat test` said.
#[derive(Debug)]
struct Report {
    passed: bool,
    out: String,
    errors: String,
}

impl Report {
    /// The first failures, each with its first line of explanation; without any, what kept the tests from being run.
    fn failures(&self) -> String {
        let is_failure = |line: &&str| line.starts_with("FAIL ");
        let lines: Vec<_> = self.out.lines().collect();
        let starts = (0..lines.len()).filter(|start| is_failure(&lines[*start])).take(FAILURES_MAX);
        let failures: Vec<_> = starts
            .flat_map(|start| {
                let why = lines.get(start + 1).filter(|line| !is_failure(line));
                [Some(&lines[start]), why].into_iter().flatten().copied()
            })
            .collect();
        match failures.is_empty() {
            true => self.errors.lines().take(FAILURES_MAX).collect::<Vec<_>>().join("\n"),
            false => failures.join("\n"),
        }
    }
}

/// Tests a copy of what was read, in a process of its own: whatever the tests do, this one serves on, and whatever is
/// saved meanwhile is not what they judge.
async fn test(dir: &Path, tree: Tree) -> io::Result<Report> {
    let copy = spawn_blocking(move || Snapshot::of(&tree)).await??;
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.arg("test").arg(&copy.root).stdin(Stdio::null()).kill_on_drop(true).output().await?;
    // The one who reads it knows the folder, not its copy.
    let (copied, dir) = (copy.root.to_string_lossy(), dir.to_string_lossy());
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&*copied, dir.trim_end_matches('/'));
    Ok(Report { passed: output.status.success(), out: told(&output.stdout), errors: told(&output.stderr) })
}

/// A folder that nobody else writes to; it ends with this value.
struct Snapshot {
    root: PathBuf,
}

impl Snapshot {
    /// Writes the files to a new folder among the temporary ones, which only this user can enter.
    fn of(tree: &Tree) -> io::Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // In a container every run has the same number, so the time is needed, too.
        let name = format!("oneseat-scripts-{}-{}", process::id(), now.as_nanos());
        let root = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&root).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot create the folder {}: {error}", root.display()))
        })?;
        let copy = Self { root };
        tree.write(&copy.root)?;
        Ok(copy)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.root) {
            tracing::warn!(%error, folder = %self.root.display(), "a copy of the scripts cannot be removed");
        }
    }
}
