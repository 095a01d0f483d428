//! `oneseat who`: who holds the seats of a user, and what happened last.

use clap::Args;

use super::api::{Api, Target, encode};
use super::{Shared, output};
use crate::error::{Exit, Fatal};
use crate::id::Uid;

/// The help of `oneseat who`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat who 1001
  oneseat who 1001 --json")]
pub struct Who {
    /// User to look up.
    #[arg(value_parser = super::uid)]
    uid: Uid,
    #[command(flatten)]
    target: Target,
}

impl Who {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        let api = Api::open(&self.target, shared)?;
        let user = api.get(&format!("/v1/users/{}", encode(self.uid.as_str())))?;
        if shared.json {
            output::line(user)?
        } else {
            output::line(format_args!("{user:#}"))?
        }
        Ok(Exit::Ok)
    }
}
