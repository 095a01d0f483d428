//! Registration and beat: how long this node may seat anybody, judged by Redis' clock in scripts and by the local
//! monotonic clock here, from before the beat was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::fleet::answer::read;
use crate::fleet::count::Census;
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
    /// Share of the newcomers, compared with other nodes of the same capacity.
    pub weight: u64,
    /// Where it stands; newcomers who ask for a zone are sent there first.
    pub zone: String,
    /// Take the name although its lease still runs.
    pub takeover: bool,
}

/// What a registration gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// Identity of the store.
    pub store: String,
    /// The node is being emptied, over this time.
    pub drain: Option<Duration>,
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
    /// The lease runs on.
    Renewed {
        /// Revision of the fleet's script versions.
        revision: u64,
        /// The store has forgotten a beat that it had confirmed: it went back to an older copy.
        has_gone_back: bool,
        /// The node is to be emptied, over this time.
        drain: Option<Duration>,
        /// Nodes whose lease is out and that nobody has marked dead yet.
        overdue: u64,
    },
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
    before: u64,
    draining: bool,
    over_ms: u64,
    overdue: u64,
}

impl Answer {
    fn drain(&self) -> Option<Duration> {
        self.draining.then(|| Duration::from_millis(self.over_ms))
    }
}

/// The node's membership.
pub struct Lease {
    caller: Arc<Caller>,
    identity: Identity,
    /// The sessions of this node as they were counted last.
    census: Census,
    /// Redis' milliseconds of the last sign of life that it confirmed.
    confirmed_ms: AtomicU64,
}

impl Lease {
    pub fn new(caller: Arc<Caller>, identity: Identity) -> Self {
        Self { census: Census::new(&caller), caller, identity, confirmed_ms: AtomicU64::new(0) }
    }

    /// Takes a new incarnation and its first lease.
    pub async fn register(&self) -> Result<Registration, RegisterError> {
        // Who insisted on the name at its start does not insist for ever.
        let is_start = self.caller.standing().incarnation() == 0;
        let arguments = Arguments::new()
            .with(Argument::Incarnation, self.caller.standing().incarnation().to_string())
            .with(Argument::Weight, self.identity.weight.to_string())
            .with(Argument::Zone, self.identity.zone.as_str())
            .with(Argument::Owner, self.identity.owner.as_str())
            .with(Argument::Address, self.identity.address.as_str())
            .with(Argument::Capacity, self.identity.capacity.to_string())
            .with(Argument::LeaseMs, self.identity.lease_ms.to_string())
            .with(Argument::Takeover, if self.identity.takeover && is_start { "1" } else { "" })
            .with(Argument::Shards, self.caller.shards().count().to_string())
            .with(Argument::Store, uuid::Uuid::new_v4().to_string());
        let standing = self.caller.standing();
        let sent_ms = standing.local_ms();
        let answer = self.ask("register", arguments).await?;
        match answer.outcome.as_str() {
            "registered" => {
                standing.set_incarnation(answer.incarnation);
                standing.set_lease(answer.now, answer.deadline, sent_ms);
                self.confirmed_ms.store(answer.now, Ordering::Relaxed);
                tracing::info!(
                    node = %standing.node(), incarnation = answer.incarnation, store = answer.store,
                    "registered with the directory"
                );
                Ok(Registration { drain: answer.drain(), store: answer.store })
            }
            "taken" => Err(RegisterError::Taken { address: answer.address, retry_after_ms: answer.retry_after_ms }),
            "shards" => Err(RegisterError::Shards { shards: answer.shards }),
            "schema" => Err(RegisterError::Schema { schema: answer.schema }),
            other => Err(RegisterError::Answer { outcome: other.to_owned() }),
        }
    }

    /// Zone of this node; may be empty.
    pub fn zone(&self) -> &str {
        &self.identity.zone
    }

    /// One sign of life, with the number of this node's sessions (see [`Census`]; at least `known`, where the rosters still
    /// have them under an older incarnation), and the number of those who came since the last one.
    pub async fn beat(&self, arrivals: u64, known: u64) -> Result<Beat, CallError> {
        let counted = self.census.take(&self.caller, Duration::from_millis(self.identity.lease_ms / 4)).await;
        let sessions = counted.max(known);
        let standing = self.caller.standing();
        let sent_ms = standing.local_ms();
        let trouble = self.caller.trouble();
        let arguments = Arguments::new()
            .with(Argument::Count, sessions.to_string())
            .with(Argument::Arrivals, arrivals.to_string())
            .with(Argument::Owner, self.identity.owner.as_str())
            .with(Argument::LeaseMs, self.identity.lease_ms.to_string())
            .with(Argument::Revision, self.caller.active().revision().to_string())
            .with(Argument::Trouble, trouble.as_ref().map_or("", |text| text.as_str()))
            .with(Argument::Body, self.caller.counts().to_string());
        let answer = self.ask("beat", arguments).await?;
        Ok(match answer.outcome.as_str() {
            "ok" => {
                standing.set_lease(answer.now, answer.deadline, sent_ms);
                let confirmed_ms = self.confirmed_ms.swap(answer.now, Ordering::Relaxed);
                Beat::Renewed {
                    revision: answer.revision,
                    has_gone_back: answer.before < confirmed_ms,
                    drain: answer.drain(),
                    overdue: answer.overdue,
                }
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

    /// A field that the script left out is empty.
    async fn ask(&self, script: &str, arguments: Arguments<'_>) -> Result<Answer, CallError> {
        read(script, self.caller.ask(script, None, arguments).await?)
    }
}
