//! `oneseat test`: runs the tests of scripts, offline or against a server.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::error::{Exit, Fatal};
use crate::offline::{Options, RunError, Suite, Target, runner};

/// The help of `oneseat test`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat test                                # the scripts inside the binary
  oneseat test lua --filter resume            # a folder, tests by name
  oneseat test lua/login                      # one script
  oneseat test --redis redis://127.0.0.1:6379/9

Exit codes: 0 all passed, 1 some failed, 2 wrong arguments or scripts that are not well-formed.")]
pub struct Test {
    /// Folder with scripts, folder of one script, or its test.lua; without it, the scripts inside the binary.
    path: Option<PathBuf>,
    /// Only tests whose name contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Run against this server instead: redis://[user:password@]host[:port][/database] or redis+unix:///path.
    #[arg(long, value_name = "URL", value_parser = target)]
    redis: Option<Target>,
    /// Empty that server's database even if it holds keys.
    #[arg(long, requires = "redis")]
    flush: bool,
    /// Start of the random numbers that tests draw; a failing run prints its own.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Test {
    pub fn run(self) -> Result<Exit, Fatal> {
        let suite = Suite::find(self.path.as_deref())
            .map_err(|error| Fatal::new(Exit::Usage, format!("the scripts cannot be tested\n{error}")))?;
        let seed = self.seed.unwrap_or_else(seed_of_the_moment);
        let options = Options { filter: self.filter, server: self.redis, flush: self.flush, seed };
        let tally = runner::run(&suite, &options, &mut std::io::stdout().lock()).map_err(fatal)?;
        Ok(if tally.failed == 0 { Exit::Ok } else { Exit::Failed })
    }
}

fn fatal(error: RunError) -> Fatal {
    let message = error.to_string();
    match error {
        RunError::NotEmpty(_) => Fatal::new(Exit::Usage, message).hint("name an empty database, or give --flush"),
        RunError::Server(_) => Fatal::new(Exit::Usage, message),
        RunError::Report(_) => Fatal::new(Exit::Failed, message),
    }
}

fn target(url: &str) -> Result<Target, String> {
    Target::parse(url)
        .ok_or_else(|| "allowed are redis://[user:password@]host[:port][/database] and redis+unix:///path".to_owned())
}

fn seed_of_the_moment() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| u64::from(since.subsec_nanos()))
}
