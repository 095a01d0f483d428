//! Runs scripts on Redis: EVALSHA, one reload where Redis has forgotten the script, and a definite answer to the
//! question that matters after a failure: surely not run, or perhaps run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::Value;
use thiserror::Error as ThisError;

use crate::id::Uid;
use crate::metric;
use crate::script::argument::Arguments;
use crate::script::catalogue::{Catalogue, Script};
use crate::script::effect::{Effect, EffectError, Item, decode_reply};
use crate::script::key::Shard;
use crate::script::link::LinkState;
use crate::script::standing::Standing;

/// Milliseconds that a client is asked to wait before it tries again while Redis does not answer.
const RETRY_AFTER_MS: u64 = 1_000;
/// First words of errors with which Redis says that it did not run the script, or refused its first write. A script
/// that it forgot again right after it was loaded is among them.
const NOT_RUN: [&str; 11] = [
    "MISCONF",
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "BUSY",
    "NOREPLICAS",
    "NOSCRIPT",
    "OOM",
    NO_ROUTE,
];
/// The client's own words, of kind `Unknown` like most errors of Redis, for a call that it had no connection for.
const NO_ROUTE: &str = "Failed to route command";
/// As before, for a call that it may have written in part.
const NOT_ANSWERED: [&str; 2] = ["Too many failed write attempts", "Missing expected connection"];

/// Why a call gave no effects.
#[derive(Debug, ThisError)]
pub enum CallError {
    /// Surely did not run; worth another try after a while.
    #[error("redis is away: {cause}")]
    Away { retry_after_ms: u64, cause: String },
    /// May have run, its answer is lost.
    #[error("the answer of script {script} is lost: {cause}")]
    Lost { script: String, cause: String },
    /// The script raised an error; `at` is file and line.
    #[error("{at}: {message}")]
    Script { at: String, message: String },
    /// The script answered something that is no list of effects.
    #[error("script {script}: {source}")]
    Effects { script: String, source: EffectError },
    /// No script of that name.
    #[error("no script is called {script}")]
    Unknown { script: String },
    /// The arguments do not fit the script's header.
    #[error("script {script}: {message}")]
    Arguments { script: String, message: String },
}

impl CallError {
    /// How long to wait before another try, for errors where one may help.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            CallError::Away { retry_after_ms, .. } => Some(*retry_after_ms),
            CallError::Lost { .. } => Some(RETRY_AFTER_MS),
            _ => None,
        }
    }
}

/// Runs the active scripts on one Redis.
pub struct Caller {
    client: Client,
    link: Arc<LinkState>,
    catalogue: Catalogue,
    standing: Arc<Standing>,
    shards: u16,
    /// How long after its start a claiming script still counts.
    budget: Duration,
}

impl Caller {
    /// `client` is connected already; `budget` is how long a call may take.
    pub fn new(client: Client, catalogue: Catalogue, standing: Arc<Standing>, shards: u16, budget: Duration) -> Self {
        let link = LinkState::watch(&client, budget);
        Self { client, link, catalogue, standing, shards, budget }
    }

    /// Loads every active script, so that the first login finds it. A script that Redis refuses stops the start.
    pub async fn load_all(&self) -> Result<(), CallError> {
        for script in self.catalogue.active() {
            self.load(script).await?;
        }
        Ok(())
    }

    /// Whether a connection to Redis stands at this moment.
    pub fn is_connected(&self) -> bool {
        self.client.is_connected() && self.link.is_up()
    }

    /// Ends the connection in order, for the end of the process.
    pub async fn quit(&self) {
        if let Err(error) = self.client.quit().await {
            tracing::debug!(%error, "the connection to redis did not end in order");
        }
    }

    /// Identity, lease and settings that every call carries.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The shards that users are spread over.
    pub fn shards(&self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.shards).map(Shard)
    }

    /// Runs a script on the shard of a user, or on the directory where there is none.
    pub async fn run(
        &self,
        script: &str,
        uid: Option<&Uid>,
        arguments: Arguments<'_>,
    ) -> Result<Vec<Effect>, CallError> {
        let shard = uid.map_or(Shard(0), |uid| Shard::of(uid, self.shards));
        self.run_on(script, shard, uid, arguments).await
    }

    /// As [`Caller::run`], for scripts that answer with one `reply`: its body, read as JSON.
    pub async fn ask(
        &self,
        script: &str,
        uid: Option<&Uid>,
        arguments: Arguments<'_>,
    ) -> Result<serde_json::Value, CallError> {
        answer(script, &self.run(script, uid, arguments).await?)
    }

    /// Runs a script on a shard; `uid` completes the keys that belong to a user.
    pub async fn run_on(
        &self,
        name: &str,
        shard: Shard,
        uid: Option<&Uid>,
        mut arguments: Arguments<'_>,
    ) -> Result<Vec<Effect>, CallError> {
        let script = self.catalogue.get(name).ok_or_else(|| CallError::Unknown { script: name.to_owned() })?;
        if !self.is_connected() {
            return Err(away("not connected"));
        }
        let uid = uid.map_or("", Uid::as_str);
        self.standing.complete(&mut arguments, uid, script.label(), self.budget);
        let keys = script.keys(shard, uid);
        let argv = script
            .argv(&arguments)
            .map_err(|error| CallError::Arguments { script: name.to_owned(), message: error.to_string() })?;
        let started = Instant::now();
        let outcome = self.evalsha(script, keys, argv).await;
        metric::script_call(name, script.version(), outcome.is_ok(), started.elapsed());
        decode_reply(item(outcome?)).map_err(|source| CallError::Effects { script: name.to_owned(), source })
    }

    /// NOSCRIPT means that nothing ran, so the script is loaded and the call made again, exactly once.
    async fn evalsha(&self, script: &Script, keys: Vec<String>, argv: Vec<String>) -> Result<Value, CallError> {
        let first = self.client.evalsha(script.sha1(), keys.clone(), argv.clone()).await;
        match first {
            Err(error) if error.details().starts_with("NOSCRIPT") => {
                tracing::info!(script = %script.label(), "redis has forgotten a script, loading it again");
                self.load(script).await?;
                self.client.evalsha(script.sha1(), keys, argv).await.map_err(|error| explain(script, &error))
            }
            other => other.map_err(|error| explain(script, &error)),
        }
    }

    async fn load(&self, script: &Script) -> Result<(), CallError> {
        let sha1: String =
            self.client.script_load_cluster(script.text()).await.map_err(|error| explain(script, &error))?;
        if sha1 == script.sha1() {
            return Ok(());
        }
        Err(CallError::Script { at: script.label(), message: format!("redis names it {sha1}, we {}", script.sha1()) })
    }
}

/// The JSON body of the only `reply` among the effects.
pub fn answer(script: &str, effects: &[Effect]) -> Result<serde_json::Value, CallError> {
    let body = effects.iter().find_map(|effect| match effect {
        Effect::Reply { body, .. } => serde_json::from_slice(body).ok(),
        _ => None,
    });
    body.ok_or_else(|| CallError::Effects { script: script.to_owned(), source: EffectError::Contract })
}

fn away(cause: &str) -> CallError {
    CallError::Away { retry_after_ms: RETRY_AFTER_MS, cause: cause.to_owned() }
}

/// Sorts an error of the client by what it says about the script: not run, perhaps run, or run and failed.
fn explain(script: &Script, error: &Error) -> CallError {
    let details = error.details();
    if NOT_RUN.iter().any(|word| details.starts_with(word)) {
        return away(details);
    }
    if NOT_ANSWERED.iter().any(|words| details.starts_with(words)) {
        return CallError::Lost { script: script.label(), cause: error.to_string() };
    }
    match error.kind() {
        ErrorKind::Backpressure | ErrorKind::Routing | ErrorKind::Cluster | ErrorKind::Auth => away(details),
        ErrorKind::IO | ErrorKind::Canceled | ErrorKind::Timeout | ErrorKind::Tls | ErrorKind::Protocol => {
            CallError::Lost { script: script.label(), cause: error.to_string() }
        }
        _ => {
            let (at, message) = script.locate(details);
            CallError::Script { at, message }
        }
    }
}

fn item(value: Value) -> Item {
    match value {
        Value::Integer(number) => Item::Integer(number),
        Value::String(text) => Item::Text(text.into_inner()),
        Value::Bytes(bytes) => Item::Text(bytes),
        Value::Array(values) => Item::List(values.into_iter().map(item).collect()),
        other => Item::Text(Bytes::from(format!("{other:?}"))),
    }
}
