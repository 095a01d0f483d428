//! The way out of a script that does not end: `SCRIPT KILL`, over a connection of its own.
//!
//! While a script runs Redis reads nothing from the connection that asked for it, so the call cannot be taken back there.
//! Redis listens to others only after its `busy-reply-threshold` (five seconds unless set); the order to kill waits in
//! the socket until then. A script that has written cannot be killed: <https://redis.io/docs/latest/commands/script-kill/>.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::{ClusterHash, CustomCommand, Value};

/// A connection that is kept for the moment when the other one is stuck.
pub(super) struct Rescue {
    client: Client,
    /// One order is on its way; more would only kill what comes next.
    is_busy: AtomicBool,
}

impl Rescue {
    /// `client` is connected, and used for nothing else.
    pub fn new(client: Client) -> Arc<Self> {
        Arc::new(Self { client, is_busy: AtomicBool::new(false) })
    }

    /// Has the script killed that runs on the server of this slot, in the background; `script` is the one that is waited
    /// for.
    pub fn kill(self: Arc<Self>, script: String, slot: u16) {
        if self.is_busy.swap(true, Ordering::AcqRel) {
            return;
        }
        tokio::spawn(async move {
            match self.order(slot).await {
                Ok(()) => {
                    tracing::error!(waiting = script, "a script did not end and was killed, perhaps the one waited for")
                }
                Err(error) if is_idle(&error) => {
                    tracing::warn!(waiting = script, "redis is slow to answer, but no script holds it up");
                }
                Err(error) if error.details().starts_with("UNKILLABLE") => tracing::error!(
                    waiting = script,
                    "a script does not end and has written already: only SHUTDOWN NOSAVE ends it, there"
                ),
                Err(error) => tracing::warn!(waiting = script, %error, "a script that may not end could not be killed"),
            }
            self.is_busy.store(false, Ordering::Release);
        });
    }

    /// This connection is hardly used, so its map of a cluster may be old: where the server of the slot has nothing to
    /// kill, all of them are told.
    async fn order(&self, slot: u16) -> Result<(), Error> {
        let command = CustomCommand::new_static("SCRIPT", ClusterHash::Custom(slot), false);
        match self.client.custom::<Value, _>(command, vec!["KILL".to_owned()]).await {
            Err(error) if self.client.is_clustered() && is_idle(&error) => self.client.script_kill_cluster().await,
            outcome => outcome.map(drop),
        }
    }
}

fn is_idle(error: &Error) -> bool {
    error.details().starts_with("NOTBUSY")
}
