//! The fleet's store, as the subcommands of `oneseat scripts` ask it: one question, one answer, with the lifecycle
//! scripts of this binary.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::cli::Shared;
use crate::config::Config;
use crate::error::{Exit, Fatal};
use crate::id::Name;
use crate::script::catalogue::Catalogue;
use crate::script::redis::{Endpoint, StoreError};
use crate::script::release::{Fleet, Source};
use crate::script::tree::Tree;
use crate::script::{Arguments, CallError, Caller, Standing};

/// What the scripts see as the node that calls them; none of the lifecycle looks at it.
const NODE: &str = "operator";

/// A connection to the fleet's store.
pub struct Store {
    runtime: Runtime,
    caller: Caller,
    place: String,
}

impl Store {
    /// Connects to the store of the configuration.
    pub fn open(shared: &Shared) -> Result<Self, Fatal> {
        let config = shared.load()?.config;
        let (endpoint, place) = endpoint(&config)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Fatal::new(Exit::Bug, "the runtime cannot start").because(error))?;
        let caller = runtime.block_on(connect(&endpoint)).map_err(|error| unusable(&config, &place, error))?;
        Ok(Self { runtime, caller, place })
    }

    /// Connects, or answers nothing where the embedded store is meant and no server runs.
    pub fn open_if_served(shared: &Shared) -> Result<Option<Self>, Fatal> {
        let config = shared.load()?.config;
        match config.redis.url.is_embedded() && !is_served(&config) {
            true => Ok(None),
            false => Self::open(shared).map(Some),
        }
    }

    /// Where it is, for people.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Runs a script that answers with one document.
    pub fn ask(&self, script: &str, arguments: Arguments<'_>) -> Result<Value, Fatal> {
        self.runtime.block_on(self.caller.ask(script, None, arguments)).map_err(|error| self.failed(error))
    }

    /// What the fleet keeps and chose.
    pub fn fleet(&self) -> Result<Fleet, Fatal> {
        self.runtime.block_on(self.caller.fleet()).map_err(|error| self.failed(error))
    }

    /// The text of a version; an error where the fleet does not have it.
    pub fn source(&self, name: &str, version: u32) -> Result<Source, Fatal> {
        let source = self.runtime.block_on(self.caller.source(name, version)).map_err(|error| self.failed(error))?;
        source.ok_or_else(|| {
            Fatal::new(Exit::Failed, format!("the fleet keeps no {name}@{version}"))
                .hint("`oneseat scripts list` shows what it keeps")
        })
    }

    /// The scripts of this binary with all that the fleet keeps over them.
    pub fn tree(&self, fleet: &Fleet) -> Result<Tree, Fatal> {
        self.overlay(Tree::embedded(), fleet, |_, _| true)
    }

    /// What a new version of a script meets in the fleet: all versions of its name, and of the others those that are
    /// active.
    pub fn surroundings(&self, fleet: &Fleet, name: &str) -> Result<Tree, Fatal> {
        let is_met = |other: &str, version: u32| {
            let active = fleet.chosen(other).map(|chosen| chosen.active.version);
            other == name || active.is_none_or(|active| active == version)
        };
        let embedded = Tree::embedded();
        let files =
            embedded.files().filter(|(path, _)| version_at(path).is_none_or(|(name, version)| is_met(name, version)));
        self.overlay(Tree::labelled("lua", files), fleet, is_met)
    }

    fn overlay(&self, mut tree: Tree, fleet: &Fleet, is_wanted: impl Fn(&str, u32) -> bool) -> Result<Tree, Fatal> {
        for (name, version) in fleet.releases.keys().filter_map(|label| parse_label(label)) {
            if is_wanted(name, version) {
                tree = tree.overlaid(&files_of(&self.source(name, version)?, name, version));
            }
        }
        Ok(tree)
    }

    fn failed(&self, error: CallError) -> Fatal {
        Fatal::new(Exit::Store, format!("the store at {} does not answer as it should", self.place)).because(error)
    }
}

/// The files of a version as a tree: helpers, the version, the tests of its name.
pub fn files_of(source: &Source, name: &str, version: u32) -> Tree {
    let files = source.files();
    let own = format!("{name}/v{version}.lua");
    // A part under another name would be another script's file.
    let files = files.iter().filter(|(path, _)| path.starts_with("lib/") || **path == own);
    let tests = source.tests.iter();
    Tree::of(files.map(|(path, text)| (path, text)).chain(tests).map(|(path, text)| (path.as_str(), text.as_str())))
}

/// Reads `login@2`.
pub fn parse_label(label: &str) -> Option<(&str, u32)> {
    let (name, version) = label.split_once('@')?;
    Some((name, version.parse().ok()?))
}

/// Reads `login/v2.lua`.
fn version_at(path: &str) -> Option<(&str, u32)> {
    let (name, file) = path.split_once('/')?;
    Some((name, file.strip_prefix('v')?.strip_suffix(".lua")?.parse().ok()?))
}

fn endpoint(config: &Config) -> Result<(Endpoint, String), Fatal> {
    let timeout = Duration::from_millis(config.redis.timeout_ms);
    if !config.redis.url.is_embedded() {
        let endpoint = Endpoint::new(config.redis.url.expose(), timeout).trusting(&config.redis.tls_ca);
        return Ok((endpoint, config.redis.url.to_string()));
    }
    let place = socket(config).display().to_string();
    if !is_served(config) {
        return Err(Fatal::new(Exit::NoServer, format!("no server has its embedded store at {place}"))
            .hint("start `oneseat`, or name its folder with data.dir, or a shared store with redis.url"));
    }
    Ok((Endpoint::new(format!("redis+unix://{place}"), timeout), place))
}

/// An absolute path: a URL takes the first part of a relative one for a host.
fn socket(config: &Config) -> PathBuf {
    let path = config.data.dir.join(crate::serve::store::SOCKET);
    std::path::absolute(&path).unwrap_or(path)
}

/// Whether somebody listens at the socket of the embedded store.
fn is_served(config: &Config) -> bool {
    UnixStream::connect(socket(config)).is_ok()
}

async fn connect(endpoint: &Endpoint) -> Result<Caller, StoreError> {
    let client = endpoint.connect().await?;
    let catalogue = Catalogue::embedded().expect("a test holds the built-in scripts to be well-formed");
    let node = Name::parse(NODE).expect("it is a plain word");
    let standing = Arc::new(Standing::new(node, Vec::new()));
    Ok(Caller::new(client, catalogue, standing, 1, endpoint.timeout()))
}

fn unusable(config: &Config, place: &str, error: StoreError) -> Fatal {
    let hint = match config.redis.url.is_embedded() {
        true => "is the server that uses data.dir still running?",
        false => "check redis.url, and that the server runs",
    };
    Fatal::new(Exit::Store, format!("the store at {place} cannot be used")).because(error).hint(hint)
}
