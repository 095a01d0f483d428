//! `oneseat migrate`: the way out of one machine. A stopped embedded store is copied into an external Redis.
//!
//! The folder is locked meanwhile and only read. The target must have no keys of ours, or be what an earlier run of
//! this command did not finish, which is removed and begun anew. Until everything was read back and found equal, no
//! node starts on the target.

mod passage;
mod plan;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::runtime::Runtime;

use passage::{Proof, broken, check, clear, fill};
use plan::Plan;

use super::progress::Progress;
use super::store::unreadable;
use super::{Shared, output};
use crate::config::Config;
use crate::embedded::aof::folder::{Content, StoreFolder};
use crate::error::{Exit, Fatal};
use crate::script::redis::{Endpoint, StoreError};
use crate::script::retag::Retag;
use crate::script::transfer::{FILLING, Transfer};
use crate::serve::folder::DataFolder;
use crate::serve::store::APPEND_ONLY_FOLDER;

/// The help of `oneseat migrate`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat migrate --from embedded --to redis://10.0.0.5:6379 --dry-run   # what would be copied; nothing is written
  oneseat migrate --from embedded --to redis://10.0.0.5:6379
  oneseat migrate --from embedded --data data --to redis-cluster://10.0.0.5:6379 --shards 256
  ONESEAT_REDIS__URL=redis://:secret@10.0.0.5:6379 oneseat migrate --from embedded   # keeps a password out of `ps`
Stop the server first. Sessions do not move: clients log in again with the tickets that they have.")]
pub struct Migrate {
    /// The store to copy.
    #[arg(long, value_parser = ["embedded"])]
    from: String,
    /// Redis or Valkey to copy into, instead of redis.url of the configuration.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// The data folder of the stopped server, instead of data.dir of the configuration.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Shards that users are spread over at the target, instead of redis.shards of the configuration.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=16384))]
    shards: Option<u16>,
    /// Remove the keys of oneseat that the target has; no node may run on it.
    #[arg(long)]
    replace: bool,
    /// Say what would be done, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// One migration: from where, to where, and what was said about how.
struct Migration {
    asked: Migrate,
    folder: PathBuf,
    /// The target without secrets, for people.
    place: String,
    shards: u16,
    transfer: Transfer,
    now_ms: u64,
}

impl Migrate {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        let config = self.config(shared)?;
        crate::log::start(&config.log)?;
        let data = self.data.clone().unwrap_or_else(|| config.data.dir.clone());
        let store = StoreFolder::new(data.join(APPEND_ONLY_FOLDER));
        // A folder that is not there must not be made by the lock.
        let _lock = if store.exists() { Some(DataFolder::open(&data)?) } else { None };
        let content = store.content().map_err(unreadable)?;
        let runtime = runtime()?;
        runtime.block_on(async {
            let migration = Migration::open(self, &config, &data).await?;
            migration.run(&content, shared).await
        })
    }

    /// The configuration with what the command line says of the target.
    fn config(&self, shared: &Shared) -> Result<Config, Fatal> {
        let url = self.to.iter().map(|url| ("ONESEAT_REDIS__URL".to_owned(), url.clone()));
        let shards = self.shards.iter().map(|shards| ("ONESEAT_REDIS__SHARDS".to_owned(), shards.to_string()));
        let config = shared.load_with(url.chain(shards))?.config;
        if config.redis.url.is_embedded() {
            return Err(Fatal::new(Exit::Usage, "no target is named").hint("--to redis://HOST:PORT, or redis.url"));
        }
        Ok(config)
    }
}

fn runtime() -> Result<Runtime, Fatal> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Fatal::new(Exit::Bug, "the runtime cannot start").because(error))
}

impl Migration {
    async fn open(asked: Migrate, config: &Config, data: &Path) -> Result<Self, Fatal> {
        let place = config.redis.url.to_string();
        let timeout = Duration::from_millis(config.redis.timeout_ms);
        let endpoint = Endpoint::new(config.redis.url.expose(), timeout).trusting(&config.redis.tls_ca);
        let transfer = Transfer::open(&endpoint).await.map_err(|error| unusable(&place, error))?;
        let shards = config.redis.shards();
        let now_ms = transfer.now_ms().await.map_err(broken)?;
        Ok(Self { asked, folder: data.to_owned(), place, shards, transfer, now_ms })
    }

    async fn run(&self, content: &Content, shared: &Shared) -> Result<Exit, Fatal> {
        let retag = Retag { shards: self.shards, now_ms: self.now_ms };
        let plan = Plan::of(content, retag).map_err(|error| {
            Fatal::new(Exit::Failed, "nothing was copied")
                .because(error)
                .hint("migrate with the oneseat that wrote it, or remove that key with redis-cli while a server runs")
        })?;
        if plan.record.is_empty() {
            return Err(Fatal::new(Exit::DataUnusable, format!("no node has ever used {}", self.folder.display()))
                .hint("name the data folder with --data or data.dir"));
        }
        if plan.record.get("schema").is_some_and(|schema| schema == FILLING) {
            let why = format!("{} is what a migration did not finish", self.folder.display());
            return Err(Fatal::new(Exit::DataUnusable, why).hint("migrate the store that it was to be a copy of"));
        }
        let removed = self.survey(&plan).await?;
        let mut progress = Progress::new();
        let proof = match self.asked.dry_run {
            true => None,
            false => Some(self.copy(&plan, removed > 0, &mut progress).await?),
        };
        progress.wipe();
        self.tell(&plan, removed, content, proof.as_ref(), shared)?;
        match proof.and_then(|proof| proof.difference) {
            Some(difference) => Err(Fatal::new(Exit::Failed, format!("the target is not what was sent: {difference}"))
                .hint("somebody else writes there; no node starts on it; run the same command again")),
            None => Ok(Exit::Ok),
        }
    }

    /// Whether the target may be filled; how many keys have to be removed before.
    async fn survey(&self, plan: &Plan<'_>) -> Result<u64, Fatal> {
        let record = self.transfer.record().await.map_err(broken)?;
        let (mut keys, mut first) = (0, None);
        let count = |name: &[u8]| {
            keys += 1;
            first.get_or_insert_with(|| String::from_utf8_lossy(name).into_owned());
        };
        self.transfer.list(count).await.map_err(broken)?;
        let is_unfinished = record.get("schema").is_some_and(|schema| schema == FILLING);
        let is_ours = record.get("store") == plan.record.get("store");
        if keys == 0 || is_unfinished && is_ours {
            return Ok(keys);
        }
        if !self.asked.replace {
            let what = match (is_unfinished, is_ours) {
                (true, _) => "what a migration of another store did not finish".to_owned(),
                (false, true) => "this very store already, as it was migrated before".to_owned(),
                (false, false) => format!("a store of oneseat, with {}", first.unwrap_or_default()),
            };
            return Err(Fatal::new(Exit::Usage, format!("{} has {what}", self.place))
                .hint("nothing was written; name an empty Redis, or remove what oneseat keeps there with --replace"));
        }
        match &self.transfer.living(self.now_ms).await.map_err(broken)?[..] {
            [] => Ok(keys),
            some => Err(Fatal::new(Exit::Usage, format!("nodes run on {}: {}", self.place, some.join(", ")))
                .hint("stop them, or name another Redis")),
        }
    }

    /// Fills the target and checks it; opens it for nodes if all is equal.
    async fn copy(&self, plan: &Plan<'_>, is_dirty: bool, progress: &mut Progress) -> Result<Proof, Fatal> {
        let mut record = plan.record.clone();
        record.insert("shards".to_owned(), self.shards.to_string());
        let closed = BTreeMap::from_iter(record.clone().into_iter().chain([("schema".to_owned(), FILLING.to_owned())]));
        self.note(&closed).await?;
        if is_dirty {
            clear(&self.transfer).await?;
            self.note(&closed).await?;
        }
        fill(&self.transfer, plan, progress).await?;
        let mut proof = check(&self.transfer, plan, progress).await?;
        if proof.difference.is_none() {
            self.note(&record).await?;
            let found = self.transfer.record().await.map_err(broken)?;
            proof.difference = (found != record).then(|| "the record of the store differs".to_owned());
        }
        Ok(proof)
    }

    async fn note(&self, record: &BTreeMap<String, String>) -> Result<(), Fatal> {
        let fields = record.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        self.transfer.note(fields).await.map_err(broken)
    }

    fn tell(
        &self,
        plan: &Plan<'_>,
        removed: u64,
        content: &Content,
        proof: Option<&Proof>,
        shared: &Shared,
    ) -> Result<(), Fatal> {
        if shared.json {
            return output::line(self.document(plan, removed, content, proof));
        }
        let rows = plan.keys.iter().map(|(word, count)| [(*word).to_owned(), count.to_string()]);
        output::table(["KEYS", "COUNT"], rows)?;
        output::line("")?;
        if let Some(torn) = &content.torn {
            output::line(format_args!("left out: the last {} bytes, which a crash tore", torn.bytes))?;
        }
        let left: Vec<String> = plan.left.iter().map(|(word, count)| format!("{word} {count}")).collect();
        if !left.is_empty() {
            output::line(format_args!("left behind, as it holds for a running fleet only: {}", left.join(", ")))?;
        }
        if plan.expired > 0 {
            output::line(format_args!("left behind, as their time is over: {} keys", plan.expired))?;
        }
        if plan.foreign > 0 {
            let names = plan.foreign_names.iter().map(|name| output::printable(name)).collect::<Vec<_>>().join(", ");
            output::line(format_args!("not copied, as they are none of oneseat's: {} keys ({names})", plan.foreign))?;
        }
        if plan.sessions > 0 {
            output::line(format_args!(
                "{} sessions of a server that was killed; the first node reaps them",
                plan.sessions
            ))?;
        }
        self.tell_end(removed, proof)
    }

    fn tell_end(&self, removed: u64, proof: Option<&Proof>) -> Result<(), Fatal> {
        let place = &self.place;
        let Some(proof) = proof else {
            return output::line(format_args!("nothing was written; {removed} keys would be removed at {place} first"));
        };
        if removed > 0 {
            output::line(format_args!("{removed} keys that were there before were removed first"))?;
        }
        output::line(format_args!("digest of the folder {}, of the target {}", proof.source, proof.target))?;
        if proof.difference.is_some() {
            return Ok(());
        }
        output::line(format_args!(
            "every key was read back and is equal; start nodes with redis.url = \"{place}\" and redis.shards = {}\n\
             do not start a server on {} again: the two stores would go apart",
            self.shards,
            self.folder.display()
        ))
    }

    fn document(&self, plan: &Plan<'_>, removed: u64, content: &Content, proof: Option<&Proof>) -> serde_json::Value {
        json!({
            "from": self.folder.display().to_string(),
            "to": self.place,
            "shards": self.shards,
            "dry_run": self.asked.dry_run,
            "keys": plan.keys,
            "sessions": plan.sessions,
            "left": plan.left,
            "expired": plan.expired + proof.map_or(0, |proof| proof.expired),
            "foreign": plan.foreign,
            "foreign_names": plan.foreign_names,
            "removed": removed,
            "torn_bytes": content.torn.as_ref().map_or(0, |torn| torn.bytes),
            "digest": proof.map(|proof| &proof.source),
            "target_digest": proof.map(|proof| &proof.target),
            "difference": proof.and_then(|proof| proof.difference.as_ref()),
        })
    }
}

fn unusable(place: &str, error: StoreError) -> Fatal {
    let hint = match error {
        StoreError::Evicts { .. } => "set `maxmemory-policy noeviction` there",
        StoreError::Unreachable(_) => "check --to or redis.url, and that the server runs",
        StoreError::Untrusted { .. } => {
            "name a PEM file with the certificate of the authority that signed the servers'"
        }
    };
    Fatal::new(Exit::Store, format!("the target at {place} cannot be used")).because(error).hint(hint)
}
