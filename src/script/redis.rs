//! Connections to Redis through fred, set up so that no call is ever sent twice and none waits without end.

use std::time::Duration;

use fred::clients::{Client, SubscriberClient};
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ReconnectError, ReconnectPolicy, ServerConfig, TcpConfig, UnresponsiveConfig};
use fred::types::{Builder, ClusterHash, CustomCommand};
use thiserror::Error as ThisError;

/// How long a call may take beyond the moment when its script would refuse by itself, so that giving up comes last.
const MARGIN: Duration = Duration::from_millis(500);
/// Messages of the node channel that may wait; one more is told as a lag and answered with a full verify. The client
/// sets room aside for as many in each of its event channels, whether they come or not: 0.7 megabytes per thousand.
const CHANNEL_MESSAGES_MAX: usize = 8_192;
/// Events of the connection for calls that may wait; it has no subscriptions.
const CALL_EVENTS_MAX: usize = 64;

/// Why a store cannot be used.
#[derive(Debug, ThisError)]
pub enum StoreError {
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] Error),
    #[error("it may throw seats away when its memory is full: its maxmemory-policy is {policy}, not noeviction")]
    Evicts { policy: String },
}

/// Where a store is, and how long a call to it may take.
#[derive(Clone)]
pub struct Endpoint {
    /// With its password; never logged.
    url: String,
    timeout: Duration,
}

impl Endpoint {
    /// `url` is `redis://`, `rediss://` or `redis+unix://`.
    pub fn new(url: impl Into<String>, timeout: Duration) -> Self {
        Self { url: url.into(), timeout }
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A connected client for calls, of a store that keeps what it is given.
    pub async fn connect(&self) -> Result<Client, StoreError> {
        let client = self.builder(CALL_EVENTS_MAX)?.build()?;
        client.init().await?;
        match eviction_policy(&client).await? {
            Some(policy) if policy != "noeviction" => Err(StoreError::Evicts { policy }),
            _ => Ok(client),
        }
    }

    /// A client for pub/sub, not connected yet.
    pub fn subscriber(&self) -> Result<SubscriberClient, StoreError> {
        Ok(self.builder(CHANNEL_MESSAGES_MAX)?.build_subscriber_client()?)
    }

    /// `events_max` is how many events of each kind may wait.
    fn builder(&self, events_max: usize) -> Result<Builder, Error> {
        let timeout = self.timeout;
        let mut builder = Builder::from_config(self.config()?);
        builder
            .with_performance_config(|performance| {
                performance.default_command_timeout = timeout + MARGIN;
                performance.broadcast_channel_capacity = events_max;
            })
            .with_connection_config(|connection| {
                connection.connection_timeout = timeout;
                connection.internal_command_timeout = timeout;
                // A lost connection must not re-send a script: its first run may have been the one that counted.
                connection.max_command_attempts = 1;
                connection.reconnect_errors = vec![
                    ReconnectError::ClusterDown,
                    ReconnectError::Loading,
                    ReconnectError::MasterDown,
                    ReconnectError::ReadOnly,
                ];
                connection.unresponsive =
                    UnresponsiveConfig { max_timeout: Some(timeout + MARGIN), interval: Duration::from_millis(500) };
                connection.tcp = TcpConfig { nodelay: Some(true), ..Default::default() };
            })
            .set_policy(ReconnectPolicy::new_exponential(0, 50, 2_000, 2));
        Ok(builder)
    }

    /// A path behind `redis+unix://` is taken as it stands; a URL parser would turn a blank into `%20`.
    fn config(&self) -> Result<Config, Error> {
        match self.url.strip_prefix("redis+unix://").filter(|path| path.starts_with('/')) {
            Some(path) => Ok(Config { server: ServerConfig::new_unix_socket(path), ..Config::default() }),
            None => Config::from_url(&self.url),
        }
    }
}

/// What the store does when its memory is full; `None` where it does not say.
async fn eviction_policy(client: &Client) -> Result<Option<String>, Error> {
    let command = CustomCommand::new_static("INFO", ClusterHash::FirstKey, false);
    let text: String = client.custom(command, vec!["memory".to_owned()]).await?;
    let policy = text.lines().find_map(|line| line.strip_prefix("maxmemory_policy:"));
    Ok(policy.map(|word| word.trim().to_owned()))
}
