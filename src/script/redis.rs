//! Connections to Redis through fred, set up so that no call is ever sent twice and none waits without end.
//!
//! A URL names a server, a unix socket, the sentinels that watch a server, or members of a cluster. In a cluster every
//! primary has a connection; the client keeps a map of who serves which slot, and renews it whenever it was sent
//! elsewhere or lost a connection. While it does so it sends nothing to anybody.

use std::path::PathBuf;
use std::time::Duration;

use fred::clients::{Client, SubscriberClient};
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::config::{
    Config, Options, ReconnectError, ReconnectPolicy, Server, ServerConfig, TcpConfig, TlsConfig, UnresponsiveConfig,
};
use fred::types::{Builder, ClusterHash, ConnectHandle, CustomCommand};
use thiserror::Error as ThisError;

use crate::script::tls::{TrustError, trust_only};

/// How long a call may take beyond the moment when its script would refuse by itself, so that giving up comes last.
pub(super) const MARGIN: Duration = Duration::from_millis(500);
/// Messages of the node channel that may wait; one more is told as a lag and answered with a full verify. The client
/// sets room aside for as many in each of its event channels, whether they come or not: 0.7 megabytes per thousand.
const CHANNEL_MESSAGES_MAX: usize = 8_192;
/// Events of the connection for calls that may wait; it has no subscriptions.
const CALL_EVENTS_MAX: usize = 64;
/// Pause before a client that gave up is started again.
const REVIVAL_PAUSE: Duration = Duration::from_millis(100);

/// Why a store cannot be used.
#[derive(Debug, ThisError)]
pub enum StoreError {
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] Error),
    #[error("{at} may throw seats away when its memory is full: its maxmemory-policy is {policy}, not noeviction")]
    Evicts { at: String, policy: String },
    #[error("the file of redis.tls_ca, {}: {source}", path.display())]
    Untrusted { path: PathBuf, source: TrustError },
}

/// Where a store is, and how long a call to it may take.
#[derive(Clone)]
pub struct Endpoint {
    /// With its password; never logged.
    url: String,
    timeout: Duration,
    /// Empty: the authorities that the system trusts.
    tls_ca: PathBuf,
}

impl Endpoint {
    /// `url` is one that `redis.url` may hold, other than the embedded store.
    pub fn new(url: impl Into<String>, timeout: Duration) -> Self {
        Self { url: url.into(), timeout, tls_ca: PathBuf::new() }
    }

    /// Trusts only the authorities in this PEM file; an empty path leaves it at those of the system.
    #[must_use]
    pub fn trusting(mut self, tls_ca: impl Into<PathBuf>) -> Self {
        self.tls_ca = tls_ca.into();
        self
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A connected client for calls, of a store that keeps what it is given.
    pub async fn connect(&self) -> Result<Client, StoreError> {
        let client = self.builder(CALL_EVENTS_MAX)?.build()?;
        let running = client.init().await?;
        for primary in primaries(&client) {
            let policy = eviction_policy(&client, primary.clone()).await?;
            if let Some(policy) = policy.filter(|policy| policy != "noeviction") {
                let at = primary.map_or("it".to_owned(), |server| server.to_string());
                return Err(StoreError::Evicts { at, policy });
            }
        }
        tokio::spawn(revive(client.clone(), running));
        Ok(client)
    }

    /// A client for pub/sub, not connected yet.
    pub fn subscriber(&self) -> Result<SubscriberClient, StoreError> {
        Ok(self.builder(CHANNEL_MESSAGES_MAX)?.build_subscriber_client()?)
    }

    /// `events_max` is how many events of each kind may wait.
    fn builder(&self, events_max: usize) -> Result<Builder, StoreError> {
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
                // To follow a redirection would be a second attempt. Worse, the client ends for good where it may make no
                // further attempt and the redirection is an ASK.
                connection.max_redirections = 0;
                // After these the server is the wrong one. They stay true for all that is under way on the connection,
                // which gets the same error; one that may pass meanwhile, as LOADING does, is not among them.
                connection.reconnect_errors = vec![ReconnectError::MasterDown, ReconnectError::ReadOnly];
                connection.unresponsive =
                    UnresponsiveConfig { max_timeout: Some(timeout + MARGIN), interval: Duration::from_millis(500) };
                connection.tcp = TcpConfig { nodelay: Some(true), ..Default::default() };
            })
            .set_policy(ReconnectPolicy::new_exponential(0, 50, 2_000, 2));
        Ok(builder)
    }

    /// A path behind `redis+unix://` is taken as it stands; a URL parser would turn a blank into `%20`.
    fn config(&self) -> Result<Config, StoreError> {
        if let Some(path) = self.url.strip_prefix("redis+unix://").filter(|path| path.starts_with('/')) {
            return Ok(Config { server: ServerConfig::new_unix_socket(path), ..Config::default() });
        }
        let mut config = Config::from_url(&self.url)?;
        if config.tls.is_some() && !self.tls_ca.as_os_str().is_empty() {
            let trust = trust_only(&self.tls_ca)
                .map_err(|source| StoreError::Untrusted { path: self.tls_ca.clone(), source })?;
            config.tls = Some(TlsConfig::from(trust));
        }
        Ok(config)
    }
}

/// Every server that takes writes: the primaries of a cluster, or the only one, which needs no name.
pub(super) fn primaries(client: &Client) -> Vec<Option<Server>> {
    match client.is_clustered() {
        true => client.active_connections().into_iter().map(Some).collect(),
        false => vec![None],
    }
}

/// Runs a command on one server.
pub(super) async fn command_at(
    client: &Client,
    server: Option<Server>,
    name: &'static str,
    words: Vec<String>,
) -> Result<String, Error> {
    let options = Options { cluster_node: server, ..Options::default() };
    let command = CustomCommand::new_static(name, ClusterHash::FirstKey, false);
    client.with_options(&options).custom(command, words).await
}

/// What a server does when its memory is full; `None` where it does not say.
async fn eviction_policy(client: &Client, server: Option<Server>) -> Result<Option<String>, Error> {
    let text = command_at(client, server, "INFO", vec!["memory".to_owned()]).await?;
    let policy = text.lines().find_map(|line| line.strip_prefix("maxmemory_policy:"));
    Ok(policy.map(|word| word.trim().to_owned()))
}

/// The client gives up over some errors that pass. It is started again until it ends in order.
async fn revive(client: Client, mut running: ConnectHandle) {
    while let Ok(Err(error)) = running.await {
        tracing::error!(%error, "the client of redis gave up and is started again");
        tokio::time::sleep(REVIVAL_PAUSE).await;
        running = client.connect();
    }
}
