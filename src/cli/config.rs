//! `oneseat config`: the template, or what is in force.

use clap::Args;

use super::{Shared, output};
use crate::config::TEMPLATE;
use crate::error::{Exit, Fatal};

/// The help of `oneseat config`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat config > oneseat.toml                      # a file to start from
  oneseat --config oneseat.toml config --effective   # what it leads to, and the source of each value")]
pub struct Print {
    /// Print the merged values instead, with the source of each; secrets are masked. Implied by --json.
    #[arg(long)]
    effective: bool,
}

impl Print {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        let text = if shared.json {
            format!("{:#}", shared.load()?.to_json())
        } else if self.effective {
            shared.load()?.to_toml().trim_end().to_owned()
        } else {
            TEMPLATE.trim_end().to_owned()
        };
        output::line(text)?;
        Ok(Exit::Ok)
    }
}
