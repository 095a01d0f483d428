//! The connection that calls go over: to one server, or to every primary of a cluster.
//!
//! The client's own state says "connected" from the moment when a connection is lost until it begins to dial again;
//! whatever is sent in between is queued, and would be run late. So its events are followed instead. In a cluster the loss
//! of one primary counts as a loss of all: until another has taken over, the client sends nothing to anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface};
use fred::types::config::Options;
use fred::types::{ClusterHash, CustomCommand, Value};
use fred::util::redis_keyslot;

use crate::script::failure::Failure;
use crate::script::redis::{command_at, primaries};
use crate::script::rescue::Rescue;

/// A connected client, and a second one for the moment when the first is stuck.
pub(super) struct Link {
    client: Client,
    state: Arc<LinkState>,
    rescue: Option<Arc<Rescue>>,
    /// How long a call may take before its script is held for endless.
    patience: Duration,
    /// A connection that gave no answer is being tried; one trial at a time is enough.
    is_on_trial: Arc<AtomicBool>,
}

/// One call: a script, by its digest or by its text, with keys of one slot.
pub(super) struct Call<'a> {
    /// For the log.
    pub label: &'a str,
    /// EVALSHA or EVAL.
    pub verb: &'static str,
    /// Digest or text.
    pub script: &'a str,
    pub keys: &'a [String],
    pub argv: &'a [String],
    /// How long an answer is waited for. It covers the moment until which the script may run.
    pub within: Duration,
}

impl Link {
    /// `client` is connected; `budget` is how long a call may take.
    pub fn new(client: Client, budget: Duration) -> Self {
        let state = LinkState::watch(&client, budget);
        Self { client, state, rescue: None, patience: budget / 2, is_on_trial: Arc::default() }
    }

    /// Has scripts killed that do not end, over a second connection to the same store.
    pub fn set_rescue(&mut self, client: Client) {
        self.rescue = Some(Rescue::new(client));
    }

    /// Whether a connection stands at this moment.
    pub fn is_up(&self) -> bool {
        self.client.is_connected() && self.state.is_up()
    }

    /// Makes a call on the server that has its keys. A script without keys may run on any.
    pub async fn call(&self, call: Call<'_>) -> Result<Value, Failure> {
        let slot = redis_keyslot(call.keys.first().map_or("", String::as_str).as_bytes());
        let command = CustomCommand::new_static(call.verb, ClusterHash::Custom(slot), false);
        let options = Options { timeout: Some(call.within), ..Options::default() };
        let client = self.client.with_options(&options);
        let answer = client.custom::<Value, _>(command, words(&call));
        let answer = match &self.rescue {
            Some(rescue) => {
                let act = || rescue.clone().kill(call.label.to_owned(), slot);
                impatient(answer, self.patience, act).await
            }
            None => answer.await,
        };
        if answer.as_ref().is_err_and(is_timeout) {
            self.try_connection(slot);
        }
        answer.map_err(Failure::from)
    }

    /// A call had no answer. The client holds a connection for dead when nothing comes for a while after its last write,
    /// so never while calls go on; and a server that hangs, or is cut off, ends no connection. So a PING is sent after the
    /// call: without an answer to that either, the client connects anew, to the new primary where there is one.
    fn try_connection(&self, slot: u16) {
        if self.is_on_trial.swap(true, Ordering::AcqRel) {
            return;
        }
        // As long as a call may take: a server that is only slow answers in between.
        let (client, is_on_trial, patience) = (self.client.clone(), self.is_on_trial.clone(), self.patience * 2);
        tokio::spawn(async move {
            let options = Options { timeout: Some(patience), ..Options::default() };
            let command = CustomCommand::new_static("PING", ClusterHash::Custom(slot), false);
            let pong = client.with_options(&options).custom::<Value, _>(command, Vec::<String>::new()).await;
            if pong.as_ref().is_err_and(is_timeout) {
                tracing::warn!("redis does not answer on this connection, another one is made");
                if let Err(error) = client.force_reconnection().await {
                    tracing::warn!(%error, "another connection to redis could not be made yet");
                }
            }
            is_on_trial.store(false, Ordering::Release);
        });
    }

    /// Gives every server that takes writes the text of a script; answers the digests under which they keep it.
    pub async fn load(&self, text: &str) -> Result<Vec<String>, Failure> {
        let loads = primaries(&self.client)
            .into_iter()
            .map(|server| command_at(&self.client, server, "SCRIPT", vec!["LOAD".to_owned(), text.to_owned()]));
        futures_util::future::try_join_all(loads).await.map_err(Failure::from)
    }

    /// Ends the connection in order, for the end of the process.
    pub async fn quit(&self) {
        if let Err(error) = self.client.quit().await {
            tracing::debug!(%error, "the connection to redis did not end in order");
        }
    }
}

fn is_timeout(error: &Error) -> bool {
    *error.kind() == ErrorKind::Timeout
}

fn words(call: &Call<'_>) -> Vec<String> {
    let mut words = Vec::with_capacity(2 + call.keys.len() + call.argv.len());
    words.extend([call.script.to_owned(), call.keys.len().to_string()]);
    words.extend(call.keys.iter().chain(call.argv).cloned());
    words
}

/// Waits for a call; when it takes longer than `patience`, does something about it and waits on.
async fn impatient<T>(
    call: impl Future<Output = Result<T, Error>>,
    patience: Duration,
    act: impl FnOnce(),
) -> Result<T, Error> {
    let mut call = std::pin::pin!(call);
    match tokio::time::timeout(patience, &mut call).await {
        Ok(outcome) => outcome,
        Err(_) => {
            act();
            call.await
        }
    }
}

/// The state of one client's connections.
#[derive(Debug)]
struct LinkState {
    started: Instant,
    /// Milliseconds from `started` until which the connection counts as lost; 0 while it stands.
    lost_until_ms: AtomicU64,
}

impl LinkState {
    /// Follows a connected client for as long as it lives. A loss counts until the connection is back, and for
    /// `doubt` at most: by then the client itself knows.
    fn watch(client: &Client, doubt: Duration) -> Arc<Self> {
        let state = Arc::new(Self { started: Instant::now(), lost_until_ms: AtomicU64::new(0) });
        let (mut errors, mut reconnects) = (client.error_rx(), client.reconnect_rx());
        let watched = state.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    error = errors.recv() => match error {
                        Ok((error, _)) => {
                            tracing::warn!(%error, "the connection to redis is lost");
                            watched.lost_until_ms.store(watched.local_ms(doubt), Ordering::Release);
                        }
                        Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                        Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                    },
                    Ok(_) = reconnects.recv() => {
                        tracing::info!("the connection to redis stands again");
                        watched.lost_until_ms.store(0, Ordering::Release);
                    },
                }
            }
        });
        state
    }

    /// Whether nothing speaks against the connection.
    fn is_up(&self) -> bool {
        let lost_until_ms = self.lost_until_ms.load(Ordering::Acquire);
        lost_until_ms == 0 || self.local_ms(Duration::ZERO) >= lost_until_ms
    }

    fn local_ms(&self, ahead: Duration) -> u64 {
        u64::try_from((self.started.elapsed() + ahead).as_millis()).unwrap_or(u64::MAX)
    }
}
