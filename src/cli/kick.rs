//! `oneseat kick`: ends the sessions of a user.

use clap::Args;

use super::api::{Api, Target, encode};
use super::{Shared, output};
use crate::error::{Exit, Fatal};
use crate::id::{Name, Uid};

/// The help of `oneseat kick`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat kick 1001
  oneseat kick 1001 --class phone --note \"account reported\"")]
pub struct Kick {
    /// User to send away.
    #[arg(value_parser = super::uid)]
    uid: Uid,
    /// Only this device class.
    #[arg(long, value_parser = super::class)]
    class: Option<Name>,
    /// A sentence for the client and the trail.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    target: Target,
}

impl Kick {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        let api = Api::open(&self.target, shared)?;
        let pair = |name: &str, value: &str| format!("{name}={}", encode(value));
        let class = self.class.map(|class| pair("class", class.as_str()));
        let note = self.note.map(|note| pair("note", &note));
        let query: Vec<String> = class.into_iter().chain(note).collect();
        let path = format!("/v1/users/{}/session?{}", encode(self.uid.as_str()), query.join("&"));
        let answer = api.delete(&path)?;
        if shared.json {
            output::line(answer)?;
            return Ok(Exit::Ok);
        }
        let kicked = answer["kicked"].as_array().map(Vec::as_slice).unwrap_or_default();
        match kicked {
            [] => output::line("nobody was there; the tickets are void")?,
            some => output::line(format_args!("sessions ended: {}; the tickets are void", some.len()))?,
        }
        Ok(Exit::Ok)
    }
}
