//! Connections to Redis through fred, set up so that no call is ever sent twice and none waits without end.

use std::time::Duration;

use fred::prelude::{Builder, ClientLike, Config, Error, ReconnectPolicy};
use fred::types::config::{ReconnectError, TcpConfig, UnresponsiveConfig};
use fred::types::{ClusterHash, CustomCommand};

/// How long a call may take beyond the moment when its script would refuse by itself, so that giving up comes last.
const MARGIN: Duration = Duration::from_millis(500);
/// Messages of the node channel that may wait; one more is told as a lag and answered with a full verify.
const CHANNEL_MESSAGES_MAX: usize = 65_536;

/// A builder for clients of one Redis. `timeout` bounds each call.
pub fn builder(url: &str, timeout: Duration) -> Result<Builder, Error> {
    let mut builder = Builder::from_config(Config::from_url(url)?);
    builder
        .with_performance_config(|performance| {
            performance.default_command_timeout = timeout + MARGIN;
            performance.broadcast_channel_capacity = CHANNEL_MESSAGES_MAX;
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

/// Why a store that answers cannot be used: it may throw seats away when its memory is full.
pub async fn eviction_policy(client: &fred::clients::Client) -> Result<Option<String>, Error> {
    let command = CustomCommand::new_static("INFO", ClusterHash::FirstKey, false);
    let text: String = client.custom(command, vec!["memory".to_owned()]).await?;
    let policy = text.lines().find_map(|line| line.strip_prefix("maxmemory_policy:"));
    Ok(policy.map(|word| word.trim().to_owned()).filter(|word| word != "noeviction"))
}
