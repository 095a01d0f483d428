//! Runs scripts on Redis: EVALSHA, one reload where Redis has forgotten the script, and a definite answer to the
//! question that matters after a failure: surely not run, or perhaps run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::Value;
use serde::Deserialize;
use serde_json::json;
use thiserror::Error as ThisError;

use crate::id::Uid;
use crate::metric::{self, CallOutcome};
use crate::reason::Reason;
use crate::script::active::ActiveSet;
use crate::script::argument::Arguments;
use crate::script::catalogue::{Catalogue, Script};
use crate::script::effect::{Effect, EffectError, Item, decode_reply};
use crate::script::key::Shard;
use crate::script::link::LinkState;
use crate::script::rescue::Rescue;
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

/// What a script answered, and which version of it did.
#[derive(Debug)]
pub struct Verdict {
    pub script: Arc<Script>,
    pub effects: Vec<Effect>,
}

/// Runs the active scripts on one Redis.
pub struct Caller {
    client: Client,
    link: Arc<LinkState>,
    rescue: Option<Arc<Rescue>>,
    /// The scripts that came with the binary, or with the folder of `scripts.dir`.
    catalogue: Catalogue,
    /// The versions that run.
    active: ArcSwap<ActiveSet>,
    /// Why the fleet's versions cannot be followed, while they cannot.
    trouble: ArcSwapOption<String>,
    is_local: bool,
    standing: Arc<Standing>,
    shards: u16,
    /// How long after its start a claiming script still counts.
    budget: Duration,
}

impl Caller {
    /// `client` is connected already; `budget` is how long a call may take.
    pub fn new(client: Client, catalogue: Catalogue, standing: Arc<Standing>, shards: u16, budget: Duration) -> Self {
        let link = LinkState::watch(&client, budget);
        let active = ArcSwap::from_pointee(ActiveSet::of_catalogue(&catalogue));
        let trouble = ArcSwapOption::empty();
        Self { client, link, rescue: None, catalogue, active, trouble, is_local: false, standing, shards, budget }
    }

    /// Has scripts killed that do not end, over a second connection to the same Redis.
    #[must_use]
    pub fn with_rescue(mut self, client: Client) -> Self {
        self.rescue = Some(Rescue::new(client));
        self
    }

    /// Runs the scripts of its catalogue, whatever the fleet runs; `why` is what operators are told.
    #[must_use]
    pub fn local(mut self, why: String) -> Self {
        self.set_trouble(Some(why));
        self.is_local = true;
        self
    }

    /// Loads every active script, so that the first login finds it. A script that Redis refuses stops the start.
    pub async fn load_all(&self) -> Result<(), CallError> {
        for script in self.active.load().scripts() {
            self.load(script).await?;
        }
        Ok(())
    }

    /// The scripts that came with the binary.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The versions that run now.
    pub fn active(&self) -> Arc<ActiveSet> {
        self.active.load_full()
    }

    /// Runs other versions from now on, once the store has all of them; on an error everything stays as it is. Calls in
    /// flight end with the versions that they began with.
    pub async fn switch(&self, next: ActiveSet) -> Result<(), CallError> {
        let now = self.active.load_full();
        for script in next.scripts() {
            if !now.scripts().any(|loaded| Arc::ptr_eq(loaded, script)) {
                self.load(script).await?;
            }
        }
        self.active.store(Arc::new(next.after(&now)));
        Ok(())
    }

    /// Why the fleet's versions cannot be followed; none while they are.
    pub fn trouble(&self) -> Option<Arc<String>> {
        self.trouble.load_full()
    }

    /// Whether it runs the scripts of a folder, whatever the fleet runs.
    pub fn is_local(&self) -> bool {
        self.is_local
    }

    /// What the calls of every script version that runs came to, as JSON by label.
    pub fn counts(&self) -> serde_json::Value {
        let active = self.active.load();
        let counts = active.known().map(|script| (script.label(), script.tally.read()));
        let counts = counts.filter(|(_, count)| count.calls > 0).map(|(label, count)| (label, json!(count)));
        serde_json::Value::Object(counts.collect())
    }

    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        self.trouble.store(trouble.map(Arc::new));
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
    pub async fn run(&self, script: &str, uid: Option<&Uid>, arguments: Arguments<'_>) -> Result<Verdict, CallError> {
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
        answer(script, &self.run(script, uid, arguments).await?.effects)
    }

    /// Runs a script on a shard; `uid` completes the keys that belong to a user.
    pub async fn run_on(
        &self,
        name: &str,
        shard: Shard,
        uid: Option<&Uid>,
        mut arguments: Arguments<'_>,
    ) -> Result<Verdict, CallError> {
        let uid = uid.map_or("", Uid::as_str);
        let script = self
            .active
            .load()
            .pick(name, uid)
            .cloned()
            .ok_or_else(|| CallError::Unknown { script: name.to_owned() })?;
        if !self.is_connected() {
            return Err(away("not connected"));
        }
        self.standing.complete(&mut arguments, uid, script.label(), self.budget);
        let keys = script.keys(shard, uid);
        let argv = script
            .argv(&arguments)
            .map_err(|error| CallError::Arguments { script: script.label(), message: error.to_string() })?;
        let started = Instant::now();
        let outcome = self.evalsha(&script, keys, argv).await.and_then(|value| {
            decode_reply(item(value)).map_err(|source| CallError::Effects { script: script.label(), source })
        });
        count(&script, &outcome, started.elapsed());
        Ok(Verdict { effects: outcome?, script })
    }

    /// NOSCRIPT means that nothing ran, so the script is loaded and the call made again, exactly once.
    async fn evalsha(&self, script: &Script, keys: Vec<String>, argv: Vec<String>) -> Result<Value, CallError> {
        let call = self.client.evalsha(script.sha1(), keys.clone(), argv.clone());
        let first = match &self.rescue {
            Some(rescue) => impatient(call, self.budget / 2, || rescue.clone().kill(script.label())).await,
            None => call.await,
        };
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

/// Waits for a call; when it takes longer than `patience`, does something about it and waits on.
async fn impatient<T>(call: impl Future<Output = T>, patience: Duration, act: impl FnOnce()) -> T {
    let mut call = std::pin::pin!(call);
    match tokio::time::timeout(patience, &mut call).await {
        Ok(outcome) => outcome,
        Err(_) => {
            act();
            call.await
        }
    }
}

/// Counts a call, for the metrics and for the comparison of versions.
fn count(script: &Script, outcome: &Result<Vec<Effect>, CallError>, elapsed: Duration) {
    let effects = outcome.as_deref().unwrap_or_default();
    let outcome = CallOutcome {
        is_error: outcome.is_err(),
        is_refusal: effects.iter().any(is_refusal),
        is_takeover: effects.iter().any(|effect| matches!(effect, Effect::Kick { reason: Reason::Displaced, .. })),
    };
    script.tally.count(outcome, elapsed);
    metric::script_call(script.name(), script.version(), outcome, elapsed);
}

/// Whether a client is answered with an error.
fn is_refusal(effect: &Effect) -> bool {
    #[derive(Deserialize)]
    struct Body {
        error: u16,
    }
    let Effect::Reply { id: 1.., body } = effect else { return false };
    serde_json::from_slice::<Body>(body).is_ok_and(|body| body.error != 0)
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
