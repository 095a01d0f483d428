//! `oneseat nodes`: the nodes of the fleet.

use clap::Args;
use serde_json::Value;

use super::api::{Api, Target};
use super::output::cell;
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
        let answer = Api::open(&self.target, shared)?.get("/v1/nodes")?;
        if shared.json {
            output::line(answer)?;
            return Ok(Exit::Ok);
        }
        let nodes = answer["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        output::table(["NAME", "STATE", "ADDRESS", "SESSIONS", "CAPACITY", "INCARNATION"], nodes.iter().map(row))?;
        Ok(Exit::Ok)
    }
}

fn row(node: &Value) -> [String; 6] {
    let state = match (node["live"] == true, node["draining"] == true) {
        (true, false) => "live",
        (true, true) => "draining",
        (false, _) => "dead",
    };
    let [name, address, count, capacity, incarnation] =
        [&node["name"], &node["address"], &node["count"], &node["capacity"], &node["incarnation"]].map(cell);
    [name, state.to_owned(), address, count, capacity, incarnation]
}
