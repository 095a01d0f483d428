//! Registration and beat: how long this node may seat anybody, judged by Redis' clock in scripts and by the local
//! monotonic clock here, from before the beat was sent.

use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;

use crate::fleet::count::count_sessions;
use crate::script::{Argument, Arguments, CallError, Caller};

/// Form of the stored data that this binary reads and writes; `lua/register` marks every store with it.
pub const SCHEMA: u32 = 1;

/// What a node says of itself when it registers.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Identity of the data folder, whose lock proves that an earlier process with it is gone.
    pub owner: String,
    /// Where clients reach the node, host:port.
    pub address: String,
    /// Sessions that the node is willing to hold.
    pub capacity: u64,
    /// How long one sign of life is good.
    pub lease_ms: u64,
    /// Take the name although its lease still runs.
    pub takeover: bool,
}

/// Why a node cannot register.
#[derive(Debug, Error)]
pub enum RegisterError {
    #[error("another process already runs as this node, at {address}; its lease ends in {retry_after_ms} ms")]
    Taken { address: String, retry_after_ms: u64 },
    #[error("the store was set up for {shards} shards, this node counts with another number")]
    Shards { shards: u64 },
    #[error("the store holds data of schema {schema}, this binary knows schema {SCHEMA}")]
    Schema { schema: String },
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("script register answers `{outcome}`, which this binary does not know")]
    Answer { outcome: String },
}

/// How a beat went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beat {
    /// The lease runs on. The fleet's script versions have this revision.
    Renewed { revision: u64 },
    /// The directory does not know this incarnation: it was taken for dead, or Redis forgot.
    Unknown,
    /// Another process has taken the name.
    Superseded,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    outcome: String,
    incarnation: u64,
    now: u64,
    deadline: u64,
    store: String,
    address: String,
    retry_after_ms: u64,
    shards: u64,
    schema: String,
    revision: u64,
}

/// The node's membership.
pub struct Lease {
    caller: Arc<Caller>,
    identity: Identity,
}

impl Lease {
    pub fn new(caller: Arc<Caller>, identity: Identity) -> Self {
        Self { caller, identity }
    }

    /// Takes a new incarnation and its first lease. Answers the identity of the store.
    pub async fn register(&self) -> Result<String, RegisterError> {
        let arguments = Arguments::new()
            .with(Argument::Owner, self.identity.owner.as_str())
            .with(Argument::Address, self.identity.address.as_str())
            .with(Argument::Capacity, self.identity.capacity.to_string())
            .with(Argument::LeaseMs, self.identity.lease_ms.to_string())
            .with(Argument::Takeover, if self.identity.takeover { "1" } else { "" })
            .with(Argument::Shards, self.caller.shards().count().to_string())
            .with(Argument::Store, uuid::Uuid::new_v4().to_string());
        let standing = self.caller.standing();
        let sent_ms = standing.local_ms();
        let answer = self.ask("register", arguments).await?;
        match answer.outcome.as_str() {
            "registered" => {
                standing.set_incarnation(answer.incarnation);
                standing.set_lease(answer.now, answer.deadline, sent_ms);
                tracing::info!(
                    node = %standing.node(), incarnation = answer.incarnation, store = answer.store,
                    "registered with the directory"
                );
                Ok(answer.store)
            }
            "taken" => Err(RegisterError::Taken { address: answer.address, retry_after_ms: answer.retry_after_ms }),
            "shards" => Err(RegisterError::Shards { shards: answer.shards }),
            "schema" => Err(RegisterError::Schema { schema: answer.schema }),
            other => Err(RegisterError::Answer { outcome: other.to_owned() }),
        }
    }

    /// One sign of life, with the exact number of this node's sessions.
    pub async fn beat(&self) -> Result<Beat, CallError> {
        let standing = self.caller.standing();
        let sent_ms = standing.local_ms();
        let sessions = count_sessions(&self.caller, standing.node(), standing.incarnation()).await?;
        let trouble = self.caller.trouble();
        let arguments = Arguments::new()
            .with(Argument::Count, sessions.to_string())
            .with(Argument::Owner, self.identity.owner.as_str())
            .with(Argument::LeaseMs, self.identity.lease_ms.to_string())
            .with(Argument::Revision, self.caller.active().revision().to_string())
            .with(Argument::Trouble, trouble.as_ref().map_or("", |text| text.as_str()))
            .with(Argument::Body, self.caller.counts().to_string());
        let answer = self.ask("beat", arguments).await?;
        Ok(match answer.outcome.as_str() {
            "ok" => {
                standing.set_lease(answer.now, answer.deadline, sent_ms);
                Beat::Renewed { revision: answer.revision }
            }
            "superseded" => {
                standing.drop_lease();
                Beat::Superseded
            }
            _ => Beat::Unknown,
        })
    }

    /// Leaves the directory, so that nobody has to wait for the lease.
    pub async fn leave(&self) -> Result<(), CallError> {
        self.ask("leave", Arguments::new()).await?;
        self.caller.standing().drop_lease();
        Ok(())
    }

    async fn ask(&self, script: &str, arguments: Arguments<'_>) -> Result<Answer, CallError> {
        parse(script, self.caller.ask(script, None, arguments).await?)
    }
}

/// Reads what a directory script answered; a field that it left out is empty.
fn parse(script: &str, value: serde_json::Value) -> Result<Answer, CallError> {
    serde_json::from_value(value)
        .map_err(|error| CallError::Script { at: script.to_owned(), message: format!("answers oddly: {error}") })
}
