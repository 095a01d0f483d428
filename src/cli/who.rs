//! `oneseat who`: who holds the seats of a user, what happened last, and why sessions ended.

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
  oneseat who 1001          # also answers \"why was I logged out?\"
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
        print_unseated(rows(&user["unseated"]))?;
        print_trail(rows(&user["trail"]))?;
        print_ends(rows(&user["trail"]))?;
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
        let [class, node, state, address, epoch, sid] =
            ["class", "node", "node_state", "address", "epoch", "sid"].map(|field| cell(&seat[field]));
        [class, node, state, address, since, epoch, sid]
    };
    output::table(["CLASS", "NODE", "STATE", "ADDRESS", "SINCE", "EPOCH", "SID"], seats.iter().map(row))
}

fn print_unseated(seats: &[Value]) -> Result<(), Fatal> {
    for seat in seats {
        let [class, node, address] = ["class", "node", "address"].map(|field| cell(&seat[field]));
        let why = if seat["reason"] == "left" { "has left the fleet" } else { "is dead: its lease is out" };
        output::line(format_args!(
            "{class}, of {address}, counts for nothing: its node {node} {why}; it is about to be reaped"
        ))?;
    }
    Ok(())
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

fn print_ends(trail: &[Value]) -> Result<(), Fatal> {
    let ends: Vec<String> = (0..trail.len()).filter_map(|index| why_ended(trail, index)).collect();
    if ends.is_empty() {
        return Ok(());
    }
    output::line("\nwhy sessions were logged out, newest first")?;
    ends.into_iter().try_for_each(output::line)
}

/// Why the session of an entry ended, in one sentence; nothing for an entry that is no end, or one of its own will.
fn why_ended(trail: &[Value], index: usize) -> Option<String> {
    let entry = &trail[index];
    let at = moment(&entry["at"]);
    let [class, node, address, version, note] =
        ["class", "node", "address", "version", "note"].map(|field| cell(&entry[field]));
    let why = match entry["event"].as_str()? {
        "displaced" => format!("taken over {} at {at}, decided by {version}", by_whom(trail, index)),
        "kicked" if note.is_empty() => format!("kicked by an operator at {at}"),
        "kicked" => format!("kicked by an operator at {at}: {note}"),
        "expired" => format!("expired at {at}: nothing was heard of it for too long"),
        "reaped" => format!("lost with its node {node}, which died, at {at}"),
        _ => return None,
    };
    Some(format!("  {class}, of {address} on {node}: {why}"))
}

/// Who took the seat: the entry that was written together with this one, just after it.
fn by_whom(trail: &[Value], index: usize) -> String {
    let same =
        |taker: &&Value| taker["event"] == "taken" && ["at", "class"].iter().all(|f| taker[f] == trail[index][f]);
    let taker = index.checked_sub(1).and_then(|before| trail.get(before)).filter(same);
    taker.map_or_else(
        || "by a later login".to_owned(),
        |taker| format!("from {} on {}", cell(&taker["address"]), cell(&taker["node"])),
    )
}

fn moment(value: &Value) -> String {
    value.as_u64().map_or_else(|| cell(value), output::moment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(at: u64, event: &str, address: &str) -> Value {
        json!({ "at": at, "event": event, "class": "main", "node": "n1", "address": address, "version": "login@1" })
    }

    #[test]
    fn a_displaced_session_is_told_from_whom_by_which_script_and_when() {
        let trail = [entry(1000, "taken", "b:2"), entry(1000, "displaced", "a:1"), entry(500, "taken", "a:1")];
        let told = why_ended(&trail, 1).expect("it was displaced");
        let expected = "  main, of a:1 on n1: taken over from b:2 on n1 at 1970-01-01 00:00:01 UTC, decided by login@1";
        assert_eq!(told, expected);
        assert_eq!((why_ended(&trail, 0), why_ended(&trail, 2)), (None, None));
    }

    #[test]
    fn another_event_beside_it_is_not_taken_for_the_taker() {
        let trail = [entry(2000, "taken", "c:3"), entry(1000, "displaced", "a:1")];
        assert!(why_ended(&trail, 1).is_some_and(|told| told.contains("by a later login")));
        assert!(why_ended(&trail[1..], 0).is_some_and(|told| told.contains("by a later login")));
    }
}
