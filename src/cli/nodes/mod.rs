//! `oneseat nodes`: the nodes of the fleet, and emptying one of them.

mod drain;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::api::{Api, Target, encode};
use super::output::cell;
use super::{Shared, output};
use crate::error::{Exit, Fatal};
use crate::id::Name;

/// The help of `oneseat nodes`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat nodes
  oneseat nodes --json
  oneseat nodes drain chat3 --over 5m    # sends its clients to other nodes at an even pace; waits until it is empty
  oneseat nodes undrain chat3            # it takes newcomers again")]
pub struct Nodes {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Empty a node: no newcomers, and its clients are sent to other nodes.
    Drain {
        /// Node to empty.
        #[arg(value_parser = node)]
        name: Name,
        /// Over how long its clients are sent away: 500ms, 60s, 5m, 1h.
        #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
        over: Duration,
        /// Return at once.
        #[arg(long)]
        no_wait: bool,
    },
    /// Let a node take newcomers again.
    Undrain {
        /// Node that was drained.
        #[arg(value_parser = node)]
        name: Name,
    },
}

impl Nodes {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        let api = Api::open(&self.target, shared)?;
        match self.action {
            None => list(&api, shared),
            Some(Action::Drain { name, over, no_wait }) => drain::run(&api, &name, over, no_wait, shared),
            Some(Action::Undrain { name }) => undrain(&api, &name, shared),
        }
    }
}

fn list(api: &Api, shared: &Shared) -> Result<Exit, Fatal> {
    let answer = api.get("/v1/nodes")?;
    if shared.json {
        output::line(answer)?;
        return Ok(Exit::Ok);
    }
    let head =
        ["NAME", "STATE", "ADDRESS", "SESSIONS", "CAPACITY", "RESERVED", "WEIGHT", "ZONE", "LEASE", "INCARNATION"];
    output::table(head, nodes(&answer).iter().map(row))?;
    Ok(Exit::Ok)
}

fn undrain(api: &Api, name: &Name, shared: &Shared) -> Result<Exit, Fatal> {
    let answer = api.delete(&drain_path(name))?;
    match shared.json {
        true => output::line(answer)?,
        false => output::line(format_args!("{name} takes newcomers again"))?,
    }
    Ok(Exit::Ok)
}

fn drain_path(name: &Name) -> String {
    format!("/v1/nodes/{}/drain", encode(name.as_str()))
}

fn nodes(answer: &Value) -> &[Value] {
    answer["nodes"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn row(node: &Value) -> [String; 10] {
    let lease = match node["lease_ms"].as_u64() {
        Some(ms) if node["live"] == true => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => String::new(),
    };
    let [name, state, address, count, capacity] =
        ["name", "state", "address", "count", "capacity"].map(|field| cell(&node[field]));
    let [reserved, weight, zone, incarnation] =
        ["reserved", "weight", "zone", "incarnation"].map(|field| cell(&node[field]));
    [name, state, address, count, capacity, reserved, weight, zone, lease, incarnation]
}

/// Reads the name of a node.
fn node(text: &str) -> Result<Name, String> {
    Name::parse(text).ok_or_else(|| "allowed are 1 to 64 characters of A-Z a-z 0-9 . _ -".to_owned())
}

/// Reads a time as people write it.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let ms = number.parse::<u64>().ok().zip(unit_ms).and_then(|(number, unit_ms)| number.checked_mul(unit_ms));
    ms.filter(|ms| *ms > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| "allowed is a number with ms, s, m or h, such as 60s or 5m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit_only() {
        for (text, ms) in [("500ms", 500), ("60s", 60_000), ("5m", 300_000), ("1h", 3_600_000)] {
            assert_eq!(time(text), Ok(Duration::from_millis(ms)));
        }
        for text in ["", "60", "s", "0s", "-1s", "1.5s", "1d", "99999999999999999999s", "9999999999999999999h"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
