//! `oneseat nodes`: the nodes of the fleet.

use clap::Args;

use super::api::{Api, Target};
use super::{Shared, output};
use crate::error::{Exit, Fatal};

/// The help of `oneseat nodes`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat nodes
  oneseat nodes --json")]
pub struct Nodes {
    #[command(flatten)]
    target: Target,
}

impl Nodes {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        let nodes = Api::open(&self.target, shared)?.get("/v1/nodes")?;
        if shared.json {
            output::line(nodes)?
        } else {
            output::line(format_args!("{nodes:#}"))?
        }
        Ok(Exit::Ok)
    }
}
