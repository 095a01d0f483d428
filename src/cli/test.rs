//! `oneseat test`: runs the tests of scripts, offline and, if asked, on a server too.

use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;

use super::progress::Progress;
use super::{Shared, output, watch};
use crate::error::{Exit, Fatal};
use crate::offline::runner::{self, Results};
use crate::offline::{Executor, Options, RunError, Suite, Target, document, junit, worker};

/// The help of `oneseat test`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat test                                # the scripts inside the binary
  oneseat test lua --filter resume            # a folder, tests by name
  oneseat test lua/login --watch              # one script, again whenever a file changes
  oneseat test lua/login/v2.lua               # one version of it
  oneseat test --redis redis://127.0.0.1:6379/9

Exit codes:
  0  all passed
  1  some failed, or fewer lines ran than --fail-under asks for
  2  wrong arguments, or scripts that are not well-formed")]
pub struct Test {
    /// Folder of scripts, of one script, its test.lua, or one version; laid over the scripts inside the binary, whose
    /// tests count too.
    path: Option<PathBuf>,
    /// Only tests whose name contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Run each test on this server too and compare: redis://[user:password@]host[:port][/database] or
    /// redis+unix:///path.
    #[arg(long, value_name = "URL", value_parser = target)]
    redis: Option<Target>,
    /// Empty that server's database even if it holds keys.
    #[arg(long, requires = "redis")]
    flush: bool,
    /// Start of the random numbers that tests draw; a failing run prints its own.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Longest time that a test may give no sign of life.
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    timeout: NonZeroU64,
    /// Fail when fewer of a hundred lines ran.
    #[arg(long, value_name = "N", value_parser = percent, conflicts_with = "filter")]
    fail_under: Option<f64>,
    /// Write which lines ran, as lcov does.
    #[arg(long, value_name = "FILE", conflicts_with = "filter")]
    lcov: Option<PathBuf>,
    /// Write the results as JUnit does.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Run again whenever a file below PATH changes, until Ctrl-C.
    #[arg(long, requires = "path")]
    watch: bool,
    /// Runs tests for another process of this program.
    #[arg(long, hide = true)]
    worker: bool,
}

impl Test {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        if self.worker {
            worker::serve().map_err(|error| Fatal::new(Exit::Failed, "cannot run tests").because(error))?;
            return Ok(Exit::Ok);
        }
        match (&self.path, self.watch) {
            (Some(path), true) => watch::again_and_again(path, || self.run_once(shared)),
            _ => self.run_once(shared),
        }
    }

    fn run_once(&self, shared: &Shared) -> Result<Exit, Fatal> {
        let suite = Suite::find(self.path.as_deref())
            .map_err(|error| Fatal::new(Exit::Usage, format!("the scripts cannot be tested\n{error}")))?;
        let options = self.options()?;
        let mut progress = Progress::new();
        let mut hear = |note: &_| progress.hear(note);
        let results = if shared.json {
            let results = runner::run_heard(&suite, &options, &mut io::sink(), &mut hear).map_err(fatal)?;
            output::line(document::of(&results))?;
            results
        } else {
            runner::run_heard(&suite, &options, &mut io::stdout().lock(), &mut hear).map_err(fatal)?
        };
        self.write_files(&results)?;
        self.judge(&results)
    }

    fn options(&self) -> Result<Options, Fatal> {
        let executor = Executor::children()
            .map_err(|error| Fatal::new(Exit::Failed, "cannot find this program to run tests with").because(error))?;
        Ok(Options {
            filter: self.filter.clone(),
            server: self.redis.clone(),
            flush: self.flush,
            seed: self.seed.unwrap_or_else(seed_of_the_moment),
            executor,
            silence_max: Duration::from_secs(self.timeout.get()),
        })
    }

    fn write_files(&self, results: &Results) -> Result<(), Fatal> {
        if let Some(path) = &self.junit {
            write_file(path, &junit::of(results))?;
        }
        match (&self.lcov, &results.coverage) {
            (Some(path), Some(coverage)) => write_file(path, &coverage.lcov()),
            _ => Ok(()),
        }
    }

    fn judge(&self, results: &Results) -> Result<Exit, Fatal> {
        if let (Some(filter), true) = (&self.filter, results.verdicts.is_empty()) {
            return Err(Fatal::new(Exit::Usage, format!("no test has `{filter}` in its name")));
        }
        match (self.fail_under, results.coverage_percent()) {
            _ if results.tally().failed > 0 => Ok(Exit::Failed),
            (Some(least), Some(percent)) if percent < least => {
                Err(Fatal::new(Exit::Failed, format!("{percent:.1} % of the lines ran, --fail-under asks for {least}")))
            }
            _ => Ok(Exit::Ok),
        }
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), Fatal> {
    let written = std::fs::File::create(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Fatal::new(Exit::Failed, format!("cannot write {}", path.display())).because(error))
}

fn fatal(error: RunError) -> Fatal {
    let message = error.to_string();
    match error {
        RunError::NotEmpty(_) => Fatal::new(Exit::Usage, message).hint("name an empty database, or give --flush"),
        RunError::Server(_) => Fatal::new(Exit::Usage, message),
        RunError::Run(_) => Fatal::new(Exit::Failed, message),
    }
}

fn target(url: &str) -> Result<Target, String> {
    Target::parse(url)
        .ok_or_else(|| "allowed are redis://[user:password@]host[:port][/database] and redis+unix:///path".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=100.0).contains(number));
    number.ok_or_else(|| "allowed are numbers from 0 to 100".to_owned())
}

fn seed_of_the_moment() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| u64::from(since.subsec_nanos()))
}
