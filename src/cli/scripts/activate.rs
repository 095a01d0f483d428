//! `oneseat scripts activate` and `rollback`: the pointer is flipped by one script, then each live node is waited for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fleet::Store;
use super::{Wait, tell};
use crate::cli::Shared;
use crate::cli::output::{self, printable};
use crate::error::{Exit, Fatal};
use crate::script::active::LIFECYCLE;
use crate::script::{Argument, Arguments};

/// Time between two looks at the nodes.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is to be activated.
pub struct Wish {
    pub name: String,
    pub version: u32,
    pub percent: Option<u8>,
}

/// Has the fleet run a version.
pub fn activate(wish: &Wish, wait: Wait, who: &str, shared: &Shared) -> Result<Exit, Fatal> {
    let Wish { name, version, percent } = wish;
    refuse_lifecycle(name)?;
    let store = Store::open(shared)?;
    if percent.is_some() {
        check_share(&store, name, *version)?;
    }
    let arguments = Arguments::new()
        .with(Argument::Script, name.as_str())
        .with(Argument::ScriptVersion, version.to_string())
        .with(Argument::Percent, percent.map(|percent| percent.to_string()).unwrap_or_default())
        .with(Argument::Who, who);
    let met = live(&store)?;
    let answer = store.ask("activate", arguments)?;
    let done = match answer["outcome"].as_str().unwrap_or_default() {
        "activated" => format!("{name}@{version} is active for all users"),
        "canary" => format!("{name}@{version} runs for {} % of the users", percent.unwrap_or_default()),
        "unchanged" => format!("{name}@{version} runs already"),
        _ => return Err(refused(name, *version, &answer, shared)?),
    };
    conclude(&store, answer, &done, met, wait, shared)
}

/// Goes back.
pub fn rollback(name: &str, wait: Wait, who: &str, shared: &Shared) -> Result<Exit, Fatal> {
    refuse_lifecycle(name)?;
    let store = Store::open(shared)?;
    let chosen = store.fleet()?.chosen(name);
    // What is to be left is named, so that two who ask for the same go back once.
    let leaving = chosen.map(|chosen| chosen.canary.map_or(chosen.active.version, |(canary, _)| canary.version));
    let arguments = Arguments::new()
        .with(Argument::Script, name)
        .with(Argument::ScriptVersion, leaving.map(|version| version.to_string()).unwrap_or_default())
        .with(Argument::Who, who);
    let met = live(&store)?;
    let answer = store.ask("rollback", arguments)?;
    let (version, from) = (answer["version"].as_u64().unwrap_or_default(), answer["from"].as_u64().unwrap_or_default());
    let done = match answer["outcome"].as_str().unwrap_or_default() {
        "rolled_back" => format!("{name}@{version} is active again, instead of {name}@{from}"),
        "canary_ended" => format!("the canary {name}@{from} has ended; {name}@{version} is active for all users"),
        "none" => {
            tell(shared, &answer, || Ok(()))?;
            return Err(Fatal::new(Exit::Failed, format!("nothing was active before {name}@{version}"))
                .hint("`oneseat scripts list` shows all versions; activate one of them"));
        }
        _ => return Err(refused(name, u32::try_from(version).unwrap_or_default(), &answer, shared)?),
    };
    conclude(&store, answer, &done, met, wait, shared)
}

/// The way back must not depend on what it leads back from.
fn refuse_lifecycle(name: &str) -> Result<(), Fatal> {
    if !LIFECYCLE.contains(&name) {
        return Ok(());
    }
    Err(Fatal::new(Exit::Usage, format!("{name} always runs as it comes with the binary"))
        .hint("it is part of how versions are changed; a new release of oneseat brings a new one"))
}

/// A share of the users has a meaning only for scripts that work on one.
fn check_share(store: &Store, name: &str, version: u32) -> Result<(), Fatal> {
    let source = store.source(name, version)?;
    let digest = store.fleet()?.releases.get(&format!("{name}@{version}")).map(|release| release.digest.clone());
    let script = source.restore(name, version, &digest.unwrap_or_default());
    match script {
        Ok(script) if !script.needs_uid() => {
            Err(Fatal::new(Exit::Usage, format!("{name} works on no user, so no share of the users can try it"))
                .hint("activate it without --percent"))
        }
        _ => Ok(()),
    }
}

/// Nothing was done; machines get the answer, people the reason.
fn refused(name: &str, version: u32, answer: &Value, shared: &Shared) -> Result<Fatal, Fatal> {
    tell(shared, answer, || Ok(()))?;
    let (why, hint) = match answer["outcome"].as_str().unwrap_or_default() {
        "unknown" => (
            format!("the fleet keeps no {name}@{version}"),
            "`oneseat scripts list` shows what it keeps; `oneseat scripts push FILE` adds to it",
        ),
        "damaged" => (
            format!("the text of {name}@{version} in the store is not the one that was pushed"),
            "push it under a new number",
        ),
        "tests" => (
            format!("{} tests of {name}@{version} failed", answer["tests"]["failed"]),
            "mend it and push it under a new number",
        ),
        "contract" => (
            format!(
                "{name}@{version} takes the keys {} and the arguments {}, but the active version the keys {} and the \
                 arguments {}",
                answer["pushed"]["keys"],
                answer["pushed"]["arguments"],
                answer["running"]["keys"],
                answer["running"]["arguments"]
            ),
            "all versions of a name take the same keys, and new arguments at the end only",
        ),
        "alone" => (
            format!("nothing is active under {name} that a share of the users could be compared with"),
            "activate it without --percent",
        ),
        "active" => (
            format!("{name}@{version} is the active version, and a share of the users can only try another one"),
            "without --percent a canary that runs beside it ends",
        ),
        "moved" => {
            (format!("{name}@{version} is active already: somebody else has gone back"), "`oneseat scripts history`")
        }
        other => (format!("the store answers {other:?}"), "is it used by a newer oneseat?"),
    };
    Ok(Fatal::new(Exit::Failed, format!("{why}; nothing was changed")).hint(hint))
}

/// Waits for the nodes and tells how it went. `met` are those that lived before the change.
fn conclude(
    store: &Store,
    mut answer: Value,
    done: &str,
    met: BTreeSet<String>,
    wait: Wait,
    shared: &Shared,
) -> Result<Exit, Fatal> {
    let revision = answer["revision"].as_u64().unwrap_or_default();
    if !shared.json {
        output::line(done)?;
    }
    let nodes = if wait.seconds == 0 { Vec::new() } else { wait_for(store, met, revision, wait) };
    let behind = nodes.iter().filter(|node| !node.follows).count();
    answer["nodes"] = nodes.iter().map(Node::to_json).collect();
    tell(shared, &answer, || {
        if nodes.is_empty() && wait.seconds > 0 {
            output::line("no node is alive; those that start will follow")?;
        }
        nodes.iter().try_for_each(|node| output::line(node.sentence()))
    })?;
    if behind == 0 {
        return Ok(Exit::Ok);
    }
    Err(Fatal::new(Exit::Failed, format!("{behind} of {} nodes did not follow within {} s", nodes.len(), wait.seconds))
        .hint("they go on with what they ran before; `oneseat scripts status` shows them, `rollback` leads back"))
}

/// A node, and whether it runs what it should.
struct Node {
    name: String,
    follows: bool,
    revision: u64,
    trouble: String,
}

impl Node {
    fn of(node: &Value, revision: u64) -> Self {
        let (own, trouble) = (node["revision"].as_u64().unwrap_or_default(), text(&node["trouble"]));
        // A later change of somebody else is this one, too.
        Self { name: text(&node["name"]), follows: own >= revision && trouble.is_empty(), revision: own, trouble }
    }

    /// It lived when the change was made, and does not any more.
    fn lost(name: &str) -> Self {
        Self { name: name.to_owned(), follows: false, revision: 0, trouble: "it has died or left since".to_owned() }
    }

    fn to_json(&self) -> Value {
        json!({ "name": self.name, "follows": self.follows, "revision": self.revision, "trouble": self.trouble })
    }

    fn sentence(&self) -> String {
        let Self { name, follows, trouble, revision } = self;
        match (follows, trouble.as_str()) {
            (true, _) => format!("{name}: follows"),
            (false, "") => format!("{name}: DOES NOT FOLLOW: it runs revision {revision} and gave no reason"),
            (false, why) => format!("{name}: DOES NOT FOLLOW: {}", printable(why)),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The live nodes as the directory has them.
fn directory(store: &Store) -> Result<Vec<Value>, Fatal> {
    let mut answer = store.ask("nodes", Arguments::new())?;
    let mut nodes = answer["nodes"].as_array_mut().map(std::mem::take).unwrap_or_default();
    nodes.retain(|node| node["live"] == true);
    Ok(nodes)
}

/// Names of the nodes that live now.
fn live(store: &Store) -> Result<BTreeSet<String>, Fatal> {
    Ok(directory(store)?.iter().map(|node| text(&node["name"])).collect())
}

/// Those that lived and those that live, once all of them follow or the time is up. A store that is away for a moment
/// is asked again.
fn wait_for(store: &Store, met: BTreeSet<String>, revision: u64, wait: Wait) -> Vec<Node> {
    let deadline = Instant::now() + Duration::from_secs(wait.seconds);
    let mut nodes: Vec<Node> = met.iter().map(|name| Node::lost(name)).collect();
    loop {
        if let Ok(live) = directory(store) {
            nodes = live.iter().map(|node| Node::of(node, revision)).collect();
            let names: BTreeSet<_> = nodes.iter().map(|node| node.name.clone()).collect();
            nodes.extend(met.difference(&names).map(|name| Node::lost(name)));
        }
        if nodes.iter().all(|node| node.follows) || Instant::now() >= deadline {
            return nodes;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
