//! The way out of a script that does not end: `SCRIPT KILL`, over a connection of its own.
//!
//! While a script runs Redis reads nothing from the connection that asked for it, so the call cannot be taken back there.
//! Redis listens to others only after its `busy-reply-threshold` (five seconds unless set); the order to kill waits in
//! the socket until then. A script that has written cannot be killed: <https://redis.io/docs/latest/commands/script-kill/>.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fred::clients::Client;
use fred::interfaces::LuaInterface;

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

    /// Has the running script killed, in the background; `script` is the one that is waited for.
    pub fn kill(self: Arc<Self>, script: String) {
        if self.is_busy.swap(true, Ordering::AcqRel) {
            return;
        }
        tokio::spawn(async move {
            match self.client.script_kill().await {
                Ok(()) => {
                    tracing::error!(waiting = script, "a script did not end and was killed, perhaps the one waited for")
                }
                Err(error) if error.details().starts_with("NOTBUSY") => {
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
}
