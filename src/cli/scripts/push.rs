//! `oneseat scripts push`: a version is linted and tested here, with its own tests and those that its name has in the
//! fleet, then kept for the fleet by one script.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::fleet::Store;
use super::tell;
use crate::cli::Shared;
use crate::cli::output::{self, moment, printable};
use crate::cli::progress::Progress;
use crate::error::{Exit, Fatal};
use crate::offline::place::Place;
use crate::offline::{Executor, Options, Suite, runner};
use crate::script::Argument;
use crate::script::active::LIFECYCLE;
use crate::script::catalogue::Script;
use crate::script::follow::push_arguments;
use crate::script::release::TestResult;
use crate::script::tree::{Tree, test_layer};

/// Tests a file and keeps it for the fleet.
pub fn run(file: &Path, who: String, shared: &Shared) -> Result<Exit, Fatal> {
    let unreadable = |error: String| Fatal::new(Exit::Usage, format!("{} cannot be pushed\n{error}", file.display()));
    let place = Place::of(file).map_err(|error| unreadable(error.to_string()))?;
    let (Some(name), Some(version)) = (place.script.clone(), place.version) else {
        return Err(Fatal::new(Exit::Usage, format!("{} is no version of a script", file.display()))
            .hint("name one file, as my-scripts/login/v2.lua"));
    };
    if LIFECYCLE.contains(&name.as_str()) {
        return Err(Fatal::new(Exit::Usage, format!("{name} always runs as it comes with the binary"))
            .hint("it is part of how versions are changed; give yours another name"));
    }
    let store = Store::open(shared)?;
    let lower = store.surroundings(&store.fleet()?, &name)?;
    let upper = only(&place.read().map_err(|error| unreadable(error.to_string()))?, &name, version);
    check_helpers(&lower, &upper)?;
    let suite =
        Suite::overlay(&lower, &upper, Some(&name), Some(version)).map_err(|error| unreadable(error.to_string()))?;
    let versions = suite.catalogue.versions(&name);
    let Some(script) = versions.iter().find(|script| script.version() == version) else {
        return Err(unreadable("there is no such version".to_owned()));
    };
    let result = test(&suite, script, shared)?;
    let tests = brought(&lower, &upper, &name, version)?;
    let answer = store.ask("push", push_arguments(script, tests, result.clone()).with(Argument::Who, who))?;
    conclude(&answer, script, &result, shared)
}

/// What belongs to one version: other versions in the folder may be half written, and are not pushed.
fn only(upper: &Tree, name: &str, version: u32) -> Tree {
    let own = format!("{name}/v{version}.lua");
    let is_test = |path: &str| path.rsplit('/').next().and_then(test_layer).is_some();
    let is_wanted = |path: &str| path == own || path.starts_with("lib/") || is_test(path);
    let label = upper.label("");
    Tree::labelled(label.trim_end_matches('/'), upper.files().filter(|(path, _)| is_wanted(path)))
}

/// The test files that came with the version, under names that say so: those of other versions stay beside them.
fn brought(lower: &Tree, upper: &Tree, name: &str, version: u32) -> Result<BTreeMap<String, String>, Fatal> {
    let mut tests = BTreeMap::new();
    for (path, text) in upper.tests_of(name).filter(|(path, text)| lower.get(path) != Some(text)) {
        let layer = path.rsplit('/').next().and_then(test_layer);
        let stem = path.strip_suffix(".lua").unwrap_or(path);
        let own = if layer == Some(0) { format!("{stem}_v{version}.lua") } else { path.to_owned() };
        let is_own = layer == Some(0) || layer == Some(version);
        if !is_own || tests.insert(own, text.to_owned()).is_some() {
            let why = format!("{} is no test of {name}@{version}; it was not pushed", upper.label(path));
            return Err(Fatal::new(Exit::Usage, why).hint("tests of a new version stand in test.lua and explore.lua"));
        }
    }
    Ok(tests)
}

/// Two texts under one name would make one of them unreadable for the other's scripts.
fn check_helpers(lower: &Tree, upper: &Tree) -> Result<(), Fatal> {
    let changed: Vec<_> = upper
        .files()
        .filter(|(path, text)| path.starts_with("lib/") && lower.get(path).is_some_and(|known| known != *text))
        .map(|(path, _)| upper.label(path))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(Fatal::new(Exit::Failed, format!("changed helpers: {}; released scripts are made of them", changed.join(", ")))
        .hint("put the change into a new helper file, under another name, and include that one"))
}

/// Runs the tests, in processes of their own; a version with one that fails is not pushed.
fn test(suite: &Suite, script: &Script, shared: &Shared) -> Result<TestResult, Fatal> {
    let cannot = |error: &dyn std::fmt::Display| Fatal::new(Exit::Failed, format!("the tests cannot be run: {error}"));
    let executor = Executor::children().map_err(|error| cannot(&error))?;
    let options = Options { executor, ..Options::default() };
    let (mut report, mut progress) = (Vec::new(), Progress::new());
    let results = runner::run_heard(suite, &options, &mut report, &mut |note| progress.hear(note))
        .map_err(|error| cannot(&error))?;
    let tally = results.tally();
    if !shared.json || tally.failed > 0 {
        eprint!("{}", String::from_utf8_lossy(&report));
    }
    let refused =
        |why: String, hint: &str| Err(Fatal::new(Exit::Failed, format!("{why}; it was not pushed")).hint(hint));
    if tally.failed > 0 {
        return refused(
            format!("{} tests of {} failed", tally.failed, script.label()),
            "a behaviour that changed on purpose is restated in your test.lua, under the name that its test has",
        );
    }
    if tally.passed == 0 {
        return refused(format!("{} has no tests", script.label()), "write some in test.lua beside it");
    }
    Ok(TestResult { passed: tally.passed, failed: tally.failed, coverage: results.coverage_percent() })
}

fn conclude(answer: &Value, script: &Script, result: &TestResult, shared: &Shared) -> Result<Exit, Fatal> {
    let (label, digest) = (script.label(), script.sha1());
    let done = match answer["outcome"].as_str().unwrap_or_default() {
        "pushed" => "is kept for the fleet",
        "known" => "is kept for the fleet already, with the same text",
        "taken" => {
            tell(shared, answer, || Ok(()))?;
            let (who, at) = (answer["who"].as_str().unwrap_or_default(), answer["at"].as_u64().unwrap_or_default());
            let why = format!(
                "{label} is taken by another text, of {} on {}; a version never changes",
                printable(who),
                moment(at)
            );
            return Err(Fatal::new(Exit::Failed, why).hint("give yours the next number"));
        }
        other => return Err(Fatal::new(Exit::Bug, format!("the store answers {other:?}"))),
    };
    let document = json!({
        "outcome": answer["outcome"], "name": script.name(), "version": script.version(), "digest": digest, "tests": result,
    });
    tell(shared, &document, || {
        output::line(format_args!("{label} {done}; it is not active"))?;
        output::line(format_args!("next: oneseat scripts activate {} {}", script.name(), script.version()))
    })?;
    Ok(Exit::Ok)
}
