//! `oneseat serve`: runs the server until it is told to stop.

use clap::Args;

use super::Shared;
use crate::error::{Exit, Fatal};

/// The help of `oneseat serve`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat serve --config oneseat.toml
  ONESEAT_GATEWAY__LISTEN=0.0.0.0:8090 oneseat serve")]
pub struct Serve {
    /// Take the node's name although a node of that name is alive.
    #[arg(long)]
    pub takeover: bool,
}

impl Serve {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        let loaded = shared.load()?;
        crate::log::start(&loaded.config.log)?;
        for warning in loaded.config.warnings() {
            tracing::warn!("{warning}");
        }
        crate::serve::run(loaded.config, self.takeover)
    }
}
