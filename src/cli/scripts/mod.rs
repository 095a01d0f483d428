//! `oneseat scripts`: the versions of the scripts, in this binary and in the fleet: looked at, pushed, activated,
//! rolled back.
//!
//! It works against the fleet's Redis with the lifecycle scripts of this binary, so that it works whatever the fleet runs,
//! and also when no node does.

mod activate;
mod export;
mod fleet;
mod lint;
mod push;
mod show;
mod status;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Shared, output};
use crate::error::{Exit, Fatal};

/// The help of `oneseat scripts`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat scripts export my-scripts           # all versions with their tests, to edit
  cp my-scripts/login/v2.lua my-scripts/login/v3.lua
  oneseat test my-scripts                     # on this machine, without a Redis
  oneseat scripts push my-scripts/login/v3.lua
  oneseat scripts activate login 3 --percent 5
  oneseat scripts status                      # both versions side by side
  oneseat scripts activate login 3            # all users
  oneseat scripts rollback login

All but export, test and lint work on the store of the configuration: a running server's embedded store (data.dir), or
redis.url. Exit codes: 0 done, 1 refused or a node did not follow, 2 wrong arguments, 6 and 8 the store cannot be reached.")]
pub struct Scripts {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Write all versions, helpers and tests into a folder.
    Export {
        /// A folder that does not exist yet, or is empty.
        dir: PathBuf,
    },
    /// List the versions that the fleet keeps, and which are active.
    List,
    /// Print a version of a script.
    Show {
        /// Name, or name and version: login, login@2. Without one, the active version.
        script: String,
        /// Print the text that Redis runs, with all helpers in front.
        #[arg(long)]
        bundle: bool,
    },
    /// Show what one version changes against another.
    Diff {
        name: String,
        /// The version to compare with.
        from: u32,
        to: u32,
    },
    /// Check scripts without running them.
    Lint {
        /// Folder with scripts, folder of one script, or one version; without it, the scripts inside the binary.
        path: Option<PathBuf>,
    },
    /// Test a version and keep it for the fleet; nothing is activated.
    Push {
        /// The file, as my-scripts/login/v2.lua.
        file: PathBuf,
        #[command(flatten)]
        who: Who,
    },
    /// Have the whole fleet run a version, or a share of its users.
    Activate {
        name: String,
        version: u32,
        /// Only this share of the users; who belongs to it stays the same.
        #[arg(long, value_name = "P", value_parser = clap::value_parser!(u8).range(1..=99))]
        percent: Option<u8>,
        #[command(flatten)]
        wait: Wait,
        #[command(flatten)]
        who: Who,
    },
    /// End the canary of a script, or go back to the version that was active before.
    Rollback {
        name: String,
        #[command(flatten)]
        wait: Wait,
        #[command(flatten)]
        who: Who,
    },
    /// Show which node runs what, and what the versions came to.
    Status,
    /// Show who pushed, activated and rolled back what, newest first.
    History {
        /// Most entries.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
    },
}

/// Who asks, for the history.
#[derive(Args, Clone, Debug)]
struct Who {
    /// Who asks, for the history; without it, the user and machine.
    #[arg(long = "who", id = "who", value_name = "TEXT", value_parser = who)]
    given: Option<String>,
}

impl Who {
    fn into_name(self) -> String {
        self.given.unwrap_or_else(|| {
            let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
            let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
            format!("{}@{machine}", if user.is_empty() { "somebody" } else { &user })
        })
    }
}

fn who(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned()).ok_or_else(|| "allowed are 1 to 200 bytes without control characters".to_owned())
}

/// How long to wait for the nodes.
#[derive(Args, Clone, Copy, Debug)]
struct Wait {
    /// Seconds to wait for the live nodes to follow; 0 to not wait.
    #[arg(long = "timeout", value_name = "SECONDS", default_value_t = 30)]
    seconds: u64,
}

impl Scripts {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        match self.action {
            Action::Export { dir } => export::run(&dir, shared),
            Action::List => status::list(shared),
            Action::Show { script, bundle } => show::show(&script, bundle, shared),
            Action::Diff { name, from, to } => show::diff(&name, from, to, shared),
            Action::Lint { path } => lint::run(path.as_deref(), shared),
            Action::Push { file, who } => push::run(&file, who.into_name(), shared),
            Action::Activate { name, version, percent, wait, who } => {
                activate::activate(&activate::Wish { name, version, percent }, wait, &who.into_name(), shared)
            }
            Action::Rollback { name, wait, who } => activate::rollback(&name, wait, &who.into_name(), shared),
            Action::Status => status::status(shared),
            Action::History { limit } => status::history(limit, shared),
        }
    }
}

/// Prints an answer for machines, or lets `people` print it.
fn tell(shared: &Shared, answer: &serde_json::Value, people: impl FnOnce() -> Result<(), Fatal>) -> Result<(), Fatal> {
    if shared.json { output::line(answer) } else { people() }
}
