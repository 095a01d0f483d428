//! `oneseat scripts activate` and `rollback`: the pointer is flipped by one script, then each live node is waited for.

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
    let answer = store.ask("activate", arguments)?;
    let done = match answer["outcome"].as_str().unwrap_or_default() {
        "activated" => format!("{name}@{version} is active for all users"),
        "canary" => format!("{name}@{version} runs for {} % of the users", percent.unwrap_or_default()),
        "unchanged" => format!("{name}@{version} runs already"),
        _ => return Err(refused(name, *version, &answer)),
    };
    conclude(&store, answer, &done, wait, shared)
}

/// Goes back.
pub fn rollback(name: &str, wait: Wait, who: &str, shared: &Shared) -> Result<Exit, Fatal> {
    refuse_lifecycle(name)?;
    let store = Store::open(shared)?;
    let arguments = Arguments::new().with(Argument::Script, name).with(Argument::Who, who);
    let answer = store.ask("rollback", arguments)?;
    let (version, from) = (answer["version"].as_u64().unwrap_or_default(), answer["from"].as_u64().unwrap_or_default());
    let done = match answer["outcome"].as_str().unwrap_or_default() {
        "rolled_back" => format!("{name}@{version} is active again, instead of {name}@{from}"),
        "canary_ended" => format!("the canary {name}@{from} has ended; {name}@{version} is active for all users"),
        "none" => {
            return Err(Fatal::new(Exit::Failed, format!("nothing was active before {name}@{version}"))
                .hint("`oneseat scripts list` shows all versions; activate one of them"));
        }
        _ => return Err(refused(name, u32::try_from(version).unwrap_or_default(), &answer)),
    };
    conclude(&store, answer, &done, wait, shared)
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

fn refused(name: &str, version: u32, answer: &Value) -> Fatal {
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
        other => (format!("the store answers {other:?}"), "is it used by a newer oneseat?"),
    };
    Fatal::new(Exit::Failed, format!("{why}; nothing was changed")).hint(hint)
}

/// Waits for the nodes and tells how it went.
fn conclude(store: &Store, mut answer: Value, done: &str, wait: Wait, shared: &Shared) -> Result<Exit, Fatal> {
    let revision = answer["revision"].as_u64().unwrap_or_default();
    if !shared.json {
        output::line(done)?;
    }
    let nodes = if wait.seconds == 0 { Vec::new() } else { wait_for(store, revision, wait)? };
    let behind = nodes.iter().filter(|node| !node.follows).count();
    answer["nodes"] = nodes.iter().map(Node::to_json).collect();
    tell(shared, &answer, || nodes.iter().try_for_each(|node| output::line(node.sentence())))?;
    if behind == 0 {
        return Ok(Exit::Ok);
    }
    Err(Fatal::new(Exit::Failed, format!("{behind} of {} nodes did not follow within {} s", nodes.len(), wait.seconds))
        .hint("they go on with what they ran before; `oneseat scripts status` shows them, `rollback` leads back"))
}

/// A live node, and whether it runs what it should.
struct Node {
    name: String,
    follows: bool,
    revision: u64,
    trouble: String,
}

impl Node {
    fn of(node: &Value, revision: u64) -> Self {
        let own = node["revision"].as_u64().unwrap_or_default();
        Self {
            name: node["name"].as_str().unwrap_or_default().to_owned(),
            // A later change of somebody else is this one, too.
            follows: own >= revision,
            revision: own,
            trouble: node["trouble"].as_str().unwrap_or_default().to_owned(),
        }
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

/// The live nodes, once all of them follow or the time is up.
fn wait_for(store: &Store, revision: u64, wait: Wait) -> Result<Vec<Node>, Fatal> {
    let deadline = Instant::now() + Duration::from_secs(wait.seconds);
    loop {
        let answer = store.ask("nodes", Arguments::new())?;
        let live = answer["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let nodes: Vec<_> =
            live.iter().filter(|node| node["live"] == true).map(|node| Node::of(node, revision)).collect();
        if nodes.iter().all(|node| node.follows) || Instant::now() >= deadline {
            return Ok(nodes);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
