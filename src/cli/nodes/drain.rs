//! `oneseat nodes drain`: asks for the drain of a node and looks on until it is empty.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{drain_path, nodes};
use crate::cli::api::Api;
use crate::cli::progress::Progress;
use crate::cli::{Shared, output};
use crate::error::{Exit, Fatal};
use crate::id::Name;

/// Time between two looks at the node.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long beyond the time that was asked for a drain may take: a beat until the node hears of it, the grace time of its
/// last clients, and room to spare.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a look at a node that is drained shows.
#[derive(PartialEq, Eq, Debug)]
enum Sight {
    Holds(u64),
    Empty,
    /// Its process has ended in order.
    Left,
    /// It died, or the directory has forgotten it.
    Gone,
    /// Somebody has ended the drain.
    Undrained,
}

pub fn run(api: &Api, name: &Name, over: Duration, no_wait: bool, shared: &Shared) -> Result<Exit, Fatal> {
    let over_ms = u64::try_from(over.as_millis()).unwrap_or(u64::MAX);
    let begun = Instant::now();
    let answer = api.post(&drain_path(name), &json!({ "over_ms": over_ms }))?;
    let count = answer["count"].as_u64().unwrap_or_default();
    if answer["others"] == 0 {
        eprintln!("oneseat: warning: no other node takes newcomers; the clients of {name} have nowhere to go");
    }
    if !no_wait {
        wait_empty(api, name, count, begun + over + PATIENCE)?;
    }
    if shared.json {
        output::line(answer)?;
        return Ok(Exit::Ok);
    }
    output::line(match no_wait {
        true => format!("{name} is being emptied of {count} sessions over {over:?}; `oneseat nodes` shows how it goes"),
        false => format!("{name} is empty, after {} s; it had {count} sessions", begun.elapsed().as_secs()),
    })?;
    Ok(Exit::Ok)
}

fn wait_empty(api: &Api, name: &Name, before: u64, deadline: Instant) -> Result<(), Fatal> {
    let mut progress = Progress::new();
    loop {
        let sight = match api.get("/v1/nodes") {
            Ok(answer) => look(&answer, name),
            // The drain goes on whether or not somebody looks.
            Err(_) if Instant::now() < deadline => {
                sleep(LOOK_EVERY);
                continue;
            }
            Err(error) => return Err(error),
        };
        let failed = |why: String| Err(Fatal::new(Exit::Failed, why));
        match sight {
            Sight::Empty | Sight::Left => break,
            Sight::Gone => return failed(format!("{name} died before it was empty")),
            Sight::Undrained => return failed(format!("somebody lets {name} take newcomers again")),
            Sight::Holds(count) if Instant::now() > deadline => {
                return failed(format!("{name} still has {count} sessions, long after the time that it was given"));
            }
            Sight::Holds(count) => progress.say(|| format!("{name}: {count} of {before} sessions are left")),
        }
        sleep(LOOK_EVERY);
    }
    progress.wipe();
    Ok(())
}

fn look(answer: &Value, name: &Name) -> Sight {
    let node = nodes(answer).iter().find(|node| node["name"] == name.as_str());
    match node.map(|node| (node["state"].as_str().unwrap_or_default(), node["count"].as_u64().unwrap_or_default())) {
        Some(("draining", 0)) => Sight::Empty,
        Some(("draining", count)) => Sight::Holds(count),
        Some(("left", _)) => Sight::Left,
        Some(("live", _)) => Sight::Undrained,
        _ => Sight::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_tells_an_end_from_an_interruption() {
        let name = Name::parse("n1").expect("a plain name");
        let sight = |state: &str, count: u64| {
            look(&json!({ "nodes": [{ "name": "n0" }, { "name": "n1", "state": state, "count": count }] }), &name)
        };
        assert_eq!(sight("draining", 3), Sight::Holds(3));
        assert_eq!(sight("draining", 0), Sight::Empty);
        assert_eq!(
            (sight("left", 0), sight("dead", 0), sight("live", 0)),
            (Sight::Left, Sight::Gone, Sight::Undrained)
        );
        assert_eq!(look(&json!({ "nodes": [] }), &name), Sight::Gone);
    }
}
