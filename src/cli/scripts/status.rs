//! `oneseat scripts list`, `status` and `history`: what the fleet keeps, what runs where, who changed it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fleet::{self, Store};
use super::tell;
use crate::cli::Shared;
use crate::cli::output::{self, cell, moment, printable};
use crate::error::{Exit, Fatal};
use crate::script::release::{Fleet, Release, TestResult};
use crate::script::tally::Count;
use crate::script::{Argument, Arguments};

/// Digits of a digest that tell versions apart for people.
const DIGEST_SHOWN: usize = 10;

/// Every version that the fleet keeps.
pub fn list(shared: &Shared) -> Result<Exit, Fatal> {
    let store = Store::open(shared)?;
    let fleet = store.fleet()?;
    let versions: Vec<_> = fleet
        .releases
        .iter()
        .filter_map(|(label, release)| Some((fleet::parse_label(label)?, release)))
        .map(|((name, version), release)| {
            json!({ "name": name, "version": version, "state": state(&fleet, name, version), "release": release })
        })
        .collect();
    let answer = json!({ "revision": fleet.revision, "versions": versions });
    tell(shared, &answer, || {
        let rows = fleet.releases.iter().filter_map(|(label, release)| {
            let (name, version) = fleet::parse_label(label)?;
            Some(row(name, version, &state(&fleet, name, version), release))
        });
        output::table(["NAME", "VERSION", "STATE", "DIGEST", "TESTS", "WHO", "WHEN", "WHAT"], rows)
    })?;
    Ok(Exit::Ok)
}

fn row(name: &str, version: u32, state: &str, release: &Release) -> [String; 8] {
    let digest = release.digest.chars().take(DIGEST_SHOWN).collect();
    let tests = tests(&release.tests);
    let summary = printable(&release.summary);
    [
        name.to_owned(),
        version.to_string(),
        state.to_owned(),
        digest,
        tests,
        printable(&release.who),
        moment(release.at),
        summary,
    ]
}

fn tests(result: &TestResult) -> String {
    match (result.passed, result.coverage) {
        (0, _) => "built in".to_owned(),
        (passed, Some(coverage)) => format!("{passed} passed, {coverage:.0} % of lines"),
        (passed, None) => format!("{passed} passed"),
    }
}

/// What a version is to the fleet: active, its share as a canary, what a rollback leads to, or nothing.
fn state(fleet: &Fleet, name: &str, version: u32) -> String {
    let Some(chosen) = fleet.chosen(name) else { return String::new() };
    match chosen.canary {
        _ if chosen.active.version == version => "active".to_owned(),
        Some((canary, percent)) if canary.version == version => format!("canary {percent} %"),
        _ if chosen.before == Some(version) => "before".to_owned(),
        _ => String::new(),
    }
}

/// Which node runs what, and what the calls of each version came to.
pub fn status(shared: &Shared) -> Result<Exit, Fatal> {
    let store = Store::open(shared)?;
    let fleet = store.fleet()?;
    let answer = store.ask("nodes", Arguments::new())?;
    let mut nodes = answer["nodes"].as_array().cloned().unwrap_or_default();
    // Who left in order runs nothing, and has nothing to follow.
    nodes.retain(|node| node["state"] != "left");
    let counts = counts(&nodes);
    let document = json!({
        "revision": fleet.revision,
        "nodes": nodes.iter().map(|node| node_json(node, fleet.revision)).collect::<Vec<_>>(),
        "versions": counts.iter().map(|(label, count)| count_json(&fleet, label, count)).collect::<Vec<_>>(),
    });
    tell(shared, &document, || {
        output::line(format_args!("the fleet's choice has revision {}\n", fleet.revision))?;
        output::table(
            ["NODE", "STATE", "FOLLOWS", "REVISION", "TROUBLE"],
            nodes.iter().map(|node| node_row(node, &fleet)),
        )?;
        output::line("")?;
        output::table(
            ["SCRIPT", "STATE", "CALLS", "ERRORS", "REFUSALS", "TAKEOVERS", "MEAN MS", "P99 MS"],
            counts.iter().map(|(label, count)| count_row(&fleet, label, count)),
        )
    })?;
    Ok(Exit::Ok)
}

fn follows(node: &Value, revision: u64) -> bool {
    node["revision"].as_u64() == Some(revision) && node["trouble"].as_str().is_none_or(str::is_empty)
}

fn node_json(node: &Value, revision: u64) -> Value {
    json!({
        "name": node["name"], "live": node["live"], "revision": node["revision"], "follows": follows(node, revision),
        "trouble": node["trouble"],
    })
}

fn node_row(node: &Value, fleet: &Fleet) -> [String; 5] {
    let follows = if follows(node, fleet.revision) { "yes" } else { "NO" };
    [cell(&node["name"]), cell(&node["state"]), follows.to_owned(), cell(&node["revision"]), cell(&node["trouble"])]
}

/// What each version came to, summed over the nodes that have said so; by label.
fn counts(nodes: &[Value]) -> BTreeMap<String, Count> {
    let mut sums: BTreeMap<String, Count> = BTreeMap::new();
    for (label, value) in nodes.iter().filter_map(|node| node["stats"].as_object()).flatten() {
        if let Ok(count) = serde_json::from_value::<Count>(value.clone()) {
            sums.entry(label.clone()).or_default().add(&count);
        }
    }
    sums
}

fn state_of(fleet: &Fleet, label: &str) -> String {
    fleet::parse_label(label).map(|(name, version)| state(fleet, name, version)).unwrap_or_default()
}

fn count_json(fleet: &Fleet, label: &str, count: &Count) -> Value {
    json!({
        "script": label, "state": state_of(fleet, label), "calls": count.calls, "errors": count.errors,
        "refusals": count.refusals, "takeovers": count.takeovers, "mean_ms": count.mean_ms(), "p99_ms": count.p99_ms(),
    })
}

fn count_row(fleet: &Fleet, label: &str, count: &Count) -> [String; 8] {
    let numbers = [count.calls, count.errors, count.refusals, count.takeovers].map(|number| number.to_string());
    let [calls, errors, refusals, takeovers] = numbers;
    let (mean, p99) = (format!("{:.2}", count.mean_ms()), format!("{:.1}", count.p99_ms()));
    [label.to_owned(), state_of(fleet, label), calls, errors, refusals, takeovers, mean, p99]
}

/// Who changed what.
pub fn history(limit: u16, shared: &Shared) -> Result<Exit, Fatal> {
    let store = Store::open(shared)?;
    let answer = store.ask("history", Arguments::new().with(Argument::PageMax, limit.to_string()))?;
    let entries = answer["history"].as_array().map(Vec::as_slice).unwrap_or_default();
    tell(shared, &answer, || {
        output::table(["WHEN", "WHO", "WHAT", "SCRIPT", "INSTEAD OF", "TESTS"], entries.iter().map(entry_row))
    })?;
    Ok(Exit::Ok)
}

fn entry_row(entry: &Value) -> [String; 6] {
    let share = entry["percent"].as_u64().map(|percent| format!(" for {percent} %")).unwrap_or_default();
    let what = format!("{}{share}", cell(&entry["event"]).replace('_', " "));
    let script = format!("{}@{}", cell(&entry["script"]), cell(&entry["version"]));
    let from = entry["from"].as_u64().map(|from| format!("{}@{from}", cell(&entry["script"]))).unwrap_or_default();
    let result = serde_json::from_value::<TestResult>(entry["tests"].clone()).ok();
    let tests = result.as_ref().map(tests).unwrap_or_default();
    [moment(entry["at"].as_u64().unwrap_or_default()), cell(&entry["who"]), what, script, from, tests]
}
