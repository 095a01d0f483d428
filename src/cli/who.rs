//! `oneseat who`: who holds the seats of a user, and what happened last.

use clap::Args;
use serde_json::Value;

use super::api::{Api, Target, encode};
use super::output::cell;
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
            output::line(user)?;
            return Ok(Exit::Ok);
        }
        print_seats(rows(&user["seats"]))?;
        print_trail(rows(&user["trail"]))?;
        Ok(Exit::Ok)
    }
}

fn rows(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn print_seats(seats: &[Value]) -> Result<(), Fatal> {
    if seats.is_empty() {
        return output::line("no seat is held");
    }
    let row = |seat: &Value| {
        let since = moment(&seat["since"]);
        [
            cell(&seat["class"]),
            cell(&seat["node"]),
            cell(&seat["address"]),
            since,
            cell(&seat["epoch"]),
            cell(&seat["sid"]),
        ]
    };
    output::table(["CLASS", "NODE", "ADDRESS", "SINCE", "EPOCH", "SID"], seats.iter().map(row))
}

fn print_trail(trail: &[Value]) -> Result<(), Fatal> {
    if trail.is_empty() {
        return Ok(());
    }
    output::line("\nlast events, newest first")?;
    let row = |event: &Value| {
        let at = moment(&event["at"]);
        let told =
            [&event["event"], &event["class"], &event["node"], &event["address"], &event["version"], &event["note"]];
        let [what, class, node, address, version, note] = told.map(cell);
        [at, what, class, node, address, version, note]
    };
    output::table(["AT", "EVENT", "CLASS", "NODE", "ADDRESS", "SCRIPT", "NOTE"], trail.iter().map(row))
}

fn moment(value: &Value) -> String {
    value.as_u64().map_or_else(|| cell(value), output::moment)
}
