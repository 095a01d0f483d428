//! The workshop: a node that runs the scripts of a folder, for the one who writes them.
//!
//! It never touches what the fleet runs: nothing is pushed, and other nodes do not notice. Where others share the store
//! it has to be forced, because their sessions would live under other rules than this node's.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;
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

/// A folder whose scripts this node runs.
pub struct Workshop {
    dir: PathBuf,
}

impl fmt::Display for Workshop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it runs the scripts of the folder {}, not the fleet's", self.dir.display())
    }
}

impl Workshop {
    /// The folder of `scripts.dir`, where one is set and may be used.
    pub fn open(config: &Config, options: Options) -> Result<Option<Self>, Fatal> {
        let dir = config.scripts.dir.clone();
        if dir.as_os_str().is_empty() {
            return match options.watch {
                true => Err(Fatal::new(Exit::Usage, "--watch has no folder to watch").hint("name it with scripts.dir")),
                false => Ok(None),
            };
        }
        if !config.redis.url.is_embedded() && !options.force {
            return Err(Fatal::new(Exit::Usage, "scripts.dir is for development, and redis.url is shared with others")
                .hint(
                    "`oneseat scripts push` and `activate` change what a fleet runs; --force runs the folder anyway",
                ));
        }
        Ok(Some(Self { dir }))
    }

    /// The scripts of the folder over those of the binary.
    pub fn catalogue(&self) -> Result<Catalogue, Fatal> {
        let refused = |cause: String| Fatal::new(Exit::Usage, format!("the scripts cannot be used\n{cause}"));
        let upper = Tree::read(&self.dir).map_err(|error| refused(error.to_string()))?;
        compose(&upper).map_err(|error| refused(error.to_string()))
    }

    /// Tests the folder after every change, and runs it if all tests pass. Until the process ends.
    pub async fn watch(self, caller: Arc<Caller>) {
        let mut last = self.read();
        tracing::info!(folder = %self.dir.display(), "watching the scripts: every save is tested and runs if it passes");
        loop {
            sleep(LOOK_EVERY).await;
            let now = self.read();
            if now != last {
                last = now;
                self.take(&caller).await;
            }
        }
    }

    /// What is in the folder; nothing while it cannot be read.
    fn read(&self) -> Option<Tree> {
        Tree::read(&self.dir).ok()
    }

    async fn take(&self, caller: &Caller) {
        match test(&self.dir).await {
            Ok(status) if status.success() => {}
            Ok(_) => return tracing::warn!("the scripts did not pass their tests; those from before run on"),
            Err(error) => return tracing::error!(%error, "the tests of the scripts cannot be run"),
        }
        let Some(upper) = self.read() else { return };
        let catalogue = match compose(&upper) {
            Ok(catalogue) => catalogue,
            Err(error) => return tracing::warn!(%error, "the scripts are not well-formed; those from before run on"),
        };
        match caller.switch(ActiveSet::of_catalogue(&catalogue)).await {
            Ok(()) => tracing::info!("the scripts passed their tests and run now"),
            Err(error) => tracing::error!(%error, "the scripts cannot be loaded; those from before run on"),
        }
    }
}

fn compose(upper: &Tree) -> Result<Catalogue, CatalogueError> {
    Catalogue::from_tree(&Tree::embedded().overlaid(upper))
}

/// Runs the tests in a process of their own: whatever they do, this one serves on.
async fn test(dir: &Path) -> std::io::Result<ExitStatus> {
    Command::new(std::env::current_exe()?).arg("test").arg(dir).stdin(Stdio::null()).kill_on_drop(true).status().await
}
