//! The settings: every value has a type here, a default in `config/default.toml`, and a source that can be named.
//!
//! Layers, later wins: the embedded file, then `--config FILE`, then `ONESEAT_SECTION__KEY`. There is no default in
//! Rust, so a key that the embedded file lacks fails the first test. Nothing here reads a file other than the one
//! that was named, and nothing here prints a secret.

mod layer;
mod problem;
mod route;
mod rule;
mod show;
mod url;
mod value;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use serde::Deserialize;

use crate::id::Name;

pub use layer::{Template, template};
pub use problem::{ConfigError, Problem};
pub use route::{KeySource, Route, Routes};
pub use rule::MS_MAX;
pub use url::RedisUrl;
pub use value::{Format, Fsync, Full, Level, Partition, Policy, Secret, Senders, split_host_port};

/// The file that holds every default, as it is built into the binary.
pub const TEMPLATE: &str = include_str!("../../config/default.toml");

/// Keys whose value is shown masked, whole or in part.
pub const SECRETS: [&str; 2] = ["admin.token", "redis.url"];

/// Shards of a Redis Cluster where nothing else is said: many more than it has primaries, so that slots can move in
/// small steps, and few enough to count all of them with every beat.
const CLUSTER_SHARDS: u16 = 256;

/// Every setting, checked. The meaning of each stands in `config/default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub node: Node,
    pub gateway: Gateway,
    pub heartbeat: Heartbeat,
    pub kick: Kick,
    pub ticket: Ticket,
    pub seat: Seat,
    pub login: Login,
    pub friends: Friends,
    pub text: Text,
    pub inbox: Inbox,
    pub presence: Presence,
    pub events: Events,
    pub scripts: Scripts,
    pub redis: Redis,
    pub data: Data,
    pub admin: Admin,
    pub log: Log,
    pub routes: Routes,
}

/// This process as a member of the fleet.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    #[serde(deserialize_with = "value::name")]
    pub name: Name,
    /// Empty, or host:port.
    #[serde(deserialize_with = "value::host_port")]
    pub address: String,
    pub capacity: u64,
    pub weight: u64,
    /// Empty, or a name.
    #[serde(deserialize_with = "value::zone")]
    pub zone: String,
    pub beat_ms: u64,
    pub lease_ms: u64,
    pub verify_ms: u64,
    pub partition: Partition,
    /// 0: stop at once.
    pub drain_ms: u64,
}

/// The client side: where it listens and how much it holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    #[serde(deserialize_with = "value::address")]
    pub listen: SocketAddr,
    pub frame_bytes_max: usize,
    pub login_timeout_ms: u64,
    pub login_attempts_max: u32,
    pub connections_max: usize,
    pub mailbox_frames_max: usize,
    pub mailbox_bytes_max: usize,
    pub shutdown_ms: u64,
}

/// The clock of silence.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    pub interval_ms: u64,
    pub limit_ms: u64,
}

/// How a session is sent away.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kick {
    pub grace_ms: u64,
}

/// How long a ticket is good.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    pub ttl_ms: u64,
    pub reserve_ms: u64,
}

/// What a seat is and who gets it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    pub policy: Policy,
    #[serde(deserialize_with = "value::name")]
    pub class: Name,
    pub trail_max: u32,
}

/// Who answers a login.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Empty, or the name of a script.
    #[serde(deserialize_with = "value::script")]
    pub welcome: String,
}

/// How many friends and applications a user may have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Friends {
    pub max: u32,
    pub applies_max: u32,
    pub applies_per_day: u32,
}

/// Who may send which texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub senders: Senders,
    pub bytes_max: u32,
    pub dedup_ms: u64,
}

/// What waits for a user who is off line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbox {
    pub count_max: u32,
    pub bytes_max: u64,
    pub ttl_ms: u64,
    pub full: Full,
}

/// How friends are told of coming and going.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presence {
    pub grace_ms: u64,
    pub calls_max: usize,
}

/// What is kept for backends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// 0: none.
    pub max: u32,
}

/// Scripts that are tried out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scripts {
    /// Empty: those of the fleet run.
    pub dir: PathBuf,
}

/// Where the shared state lives.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    pub url: RedisUrl,
    pub timeout_ms: u64,
    /// 0: as many as the kind of the store asks for.
    pub shards: u16,
    pub calls_max: usize,
    /// Empty: the authorities that the system trusts.
    pub tls_ca: PathBuf,
}

/// The folder of this process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    pub dir: PathBuf,
    pub fsync: Fsync,
    pub rewrite_percent: u64,
    pub rewrite_bytes_min: u64,
    pub memory_bytes_max: u64,
    pub script_ms_max: u64,
}

/// The operator's HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    #[serde(deserialize_with = "value::address")]
    pub listen: SocketAddr,
    /// Empty: no token is asked.
    pub token: Secret,
}

/// What is logged, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: Format,
    pub level: Level,
}

/// The settings together with where each of them came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    layers: Figment,
}

impl Loaded {
    /// Reads the embedded file, then `file`, then those of `environment` that start with `ONESEAT_`.
    ///
    /// # Errors
    /// The file cannot be read or parsed, a key is unknown, a value has the wrong type, is out of range, or does not go
    /// together with another one. All problems of one kind are reported at once.
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let layers = layer::merge(file, environment)?;
        let config = layers.extract().map_err(|error| problem::from_figment(&layers, error))?;
        rule::check(&config, &layers)?;
        Ok(Self { config, layers })
    }

    /// As [`Loaded::read`], with the environment of this process and variables that stand over it.
    ///
    /// # Errors
    /// See [`Loaded::read`].
    pub fn from_process(
        file: Option<&Path>,
        more: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        // A value that is not UTF-8 becomes one with replacement characters, which no setting but a path accepts.
        let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        Self::read(file, environment.chain(more))
    }

    /// The merged settings as a file that can be read again, each with its source behind it; secrets are masked.
    pub fn to_toml(&self) -> String {
        show::toml(&self.layers)
    }

    /// The merged settings as `{section: {key: {value, source}}}`; secrets are masked.
    pub fn to_json(&self) -> serde_json::Value {
        show::json(&self.layers)
    }
}

impl Redis {
    /// Shards that users are spread over.
    pub fn shards(&self) -> u16 {
        match self.shards {
            0 if self.url.is_cluster() => CLUSTER_SHARDS,
            0 => 1,
            given => given,
        }
    }
}

impl Config {
    /// What tickets tell clients to dial: `node.address`, or where the gateway listens.
    pub fn public_address(&self) -> String {
        match self.node.address.as_str() {
            "" => self.gateway.listen.to_string(),
            given => given.to_owned(),
        }
    }

    /// What is allowed but will surprise: one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        rule::warnings(self)
    }
}
