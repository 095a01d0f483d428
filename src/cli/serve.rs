//! `oneseat serve`: runs the server until it is told to stop.

use clap::Args;

use super::Shared;
use crate::error::{Exit, Fatal};
use crate::serve::Options;

/// The help of `oneseat serve`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat serve --config oneseat.toml
  ONESEAT_GATEWAY__LISTEN=0.0.0.0:8090 oneseat serve
  ONESEAT_SCRIPTS__DIR=my-scripts oneseat serve --watch    # for those who write scripts")]
pub struct Serve {
    /// Take the node's name although a node of that name is alive.
    #[arg(long)]
    pub takeover: bool,
    /// Test the scripts of scripts.dir after every save, and run them if they pass.
    #[arg(long)]
    pub watch: bool,
    /// Run the scripts of scripts.dir although redis.url is shared with other nodes.
    #[arg(long)]
    pub force: bool,
}

impl Serve {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        let loaded = shared.load()?;
        crate::log::start(&loaded.config.log)?;
        for warning in loaded.config.warnings() {
            tracing::warn!("{warning}");
        }
        let Self { takeover, watch, force } = self;
        crate::serve::run(loaded.config, Options { takeover, watch, force })
    }
}
