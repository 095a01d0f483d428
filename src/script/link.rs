//! Whether the connection to Redis stands, as its events tell it.
//!
//! The client's own state says "connected" from the moment when a connection is lost until it begins to dial again;
//! whatever is sent in between is queued, and would be run late. So the events are followed instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fred::clients::Client;
use fred::interfaces::EventInterface;

/// The state of one client's connection.
#[derive(Debug)]
pub(super) struct LinkState {
    started: Instant,
    /// Milliseconds from `started` until which the connection counts as lost; 0 while it stands.
    lost_until_ms: AtomicU64,
}

impl LinkState {
    /// Follows a connected client for as long as it lives. A loss counts until the connection is back, and for
    /// `doubt` at most: by then the client itself knows.
    pub fn watch(client: &Client, doubt: Duration) -> Arc<Self> {
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
    pub fn is_up(&self) -> bool {
        let lost_until_ms = self.lost_until_ms.load(Ordering::Acquire);
        lost_until_ms == 0 || self.local_ms(Duration::ZERO) >= lost_until_ms
    }

    fn local_ms(&self, ahead: Duration) -> u64 {
        u64::try_from((self.started.elapsed() + ahead).as_millis()).unwrap_or(u64::MAX)
    }
}
