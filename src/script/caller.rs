//! Runs scripts on Redis: EVALSHA, the text where Redis has forgotten the script, another try where that does no harm, and
//! a definite answer to the question that matters after a failure: surely not run, or perhaps run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use fred::clients::Client;
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
use crate::script::failure::Failure;
use crate::script::header::Mode;
use crate::script::key::Shard;
use crate::script::link::{Call, Link};
use crate::script::redis::MARGIN;
use crate::script::standing::Standing;

/// Milliseconds that a client is asked to wait before it tries again while Redis does not answer.
const RETRY_AFTER_MS: u64 = 1_000;
/// Scripts with versions of `@mode write` that may yet be run twice with the same arguments, from before there was
/// `@mode repeat`.
const IDEMPOTENT: [&str; 4] = ["login", "logout", "expire", "verify"];
/// Pause before a call is made again, doubled each time, and its bound.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(400);

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
    link: Link,
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
        let link = Link::new(client, budget);
        let active = ArcSwap::from_pointee(ActiveSet::of_catalogue(&catalogue));
        let trouble = ArcSwapOption::empty();
        Self { link, catalogue, active, trouble, is_local: false, standing, shards, budget }
    }

    /// Has scripts killed that do not end, over a second connection to the same Redis.
    #[must_use]
    pub fn with_rescue(mut self, client: Client) -> Self {
        self.link.set_rescue(client);
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
        self.link.is_up()
    }

    /// Ends the connection in order, for the end of the process.
    pub async fn quit(&self) {
        self.link.quit().await;
    }

    /// Identity, lease and settings that every call carries.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The shards that users are spread over.
    pub fn shards(&self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.shards).map(Shard)
    }

    /// The shard of a user.
    pub fn shard_of(&self, uid: &Uid) -> Shard {
        Shard::of(uid, self.shards)
    }

    /// Runs a script on the shard of a user, or on the directory where there is none.
    pub async fn run(&self, script: &str, uid: Option<&Uid>, arguments: Arguments<'_>) -> Result<Verdict, CallError> {
        let shard = uid.map_or(Shard(0), |uid| self.shard_of(uid));
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
        let outcome = self.call(&script, &keys, &argv).await.and_then(|value| {
            decode_reply(item(value)).map_err(|source| CallError::Effects { script: script.label(), source })
        });
        count(&script, &outcome, started.elapsed());
        Ok(Verdict { effects: outcome?, script })
    }

    /// Makes a call, and makes it again as long as that may help, does no harm and its budget lasts. The arguments stay the
    /// same, so that no run of it counts later than the first could have.
    async fn call(&self, script: &Script, keys: &[String], argv: &[String]) -> Result<Value, CallError> {
        let (end, mut pause) = (Instant::now() + self.budget, PAUSE_FIRST);
        let mut may_have_run = false;
        loop {
            let failure = match self.attempt(script, keys, argv, end).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            may_have_run |= matches!(failure, Failure::Lost(_) | Failure::Ended(_));
            let is_up = failure.may_repeat(is_repeatable(script)) && self.is_up_again(pause, end).await;
            if !is_up {
                return Err(explain(script, failure, may_have_run));
            }
            tracing::debug!(script = %script.label(), ?failure, "a call is made again");
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Waits for a while, and then for a connection; false where the end comes first.
    async fn is_up_again(&self, pause: Duration, end: Instant) -> bool {
        loop {
            if Instant::now() + pause >= end {
                return false;
            }
            tokio::time::sleep(pause).await;
            if self.is_connected() {
                return true;
            }
        }
    }

    /// One attempt. A server that has forgotten the script (it is new among the primaries, or was told to flush) gets the
    /// text with the call: that runs it once, there, and keeps it for the next.
    async fn attempt(&self, script: &Script, keys: &[String], argv: &[String], end: Instant) -> Result<Value, Failure> {
        let label = script.label();
        let call = |verb, script| {
            let within = end.saturating_duration_since(Instant::now()) + MARGIN;
            self.link.call(Call { label: &label, verb, script, keys, argv, within })
        };
        match call("EVALSHA", script.sha1()).await {
            Err(Failure::Forgotten) => {
                tracing::info!(script = label, "redis has forgotten a script and is given it again");
                call("EVAL", script.text()).await
            }
            outcome => outcome,
        }
    }

    async fn load(&self, script: &Script) -> Result<(), CallError> {
        let loaded = self.link.load(script.text()).await.map_err(|failure| explain(script, failure, false))?;
        match loaded.into_iter().find(|sha1| sha1 != script.sha1()) {
            None => Ok(()),
            Some(sha1) => Err(CallError::Script {
                at: script.label(),
                message: format!("redis names it {sha1}, we {}", script.sha1()),
            }),
        }
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
    let Effect::Reply { id: 1.., body, .. } = effect else { return false };
    serde_json::from_slice::<Body>(body).is_ok_and(|body| body.error != 0)
}

fn away(cause: &str) -> CallError {
    CallError::Away { retry_after_ms: RETRY_AFTER_MS, cause: cause.to_owned() }
}

/// Whether a second run of the script with the same arguments changes nothing and answers the same.
fn is_repeatable(script: &Script) -> bool {
    matches!(script.mode(), Mode::Read | Mode::Repeat) || IDEMPOTENT.contains(&script.name())
}

/// What a failure means to the one who asked. Where an earlier attempt may have run, one that did not says nothing.
fn explain(script: &Script, failure: Failure, may_have_run: bool) -> CallError {
    match failure {
        Failure::Raised(details) => {
            let (at, message) = script.locate(&details);
            CallError::Script { at, message }
        }
        Failure::Lost(cause) => CallError::Lost { script: script.label(), cause },
        Failure::NotRun(cause) | Failure::Refused(cause) | Failure::Ended(cause) => match may_have_run {
            true => CallError::Lost { script: script.label(), cause },
            false => away(&cause),
        },
        Failure::Forgotten => away("redis forgets the script again and again"),
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
