//! The node's channel: effects that scripts on other nodes, and the admin API, publish for sessions held here.
//!
//! A link can die without a word, so the node calls itself: a message to its own channel every second. While none comes
//! back the node is not ready; it subscribes anew over another connection, and verifies what it may have missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Value;
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use crate::gateway::Gateway;
use crate::metric::Metric;
use crate::readiness::{Condition, Readiness};
use crate::script::effect::{Item, decode_effects};
use crate::script::redis::{Endpoint, StoreError};
use crate::script::standing::SCRIPTS_CHANNEL;
use crate::script::{Arguments, Caller, Effect};

/// Time between two calls to oneself.
const CALL_EVERY: Duration = Duration::from_secs(1);
/// As before, until the first has come back: a subscription is confirmed after it was asked for.
const FIRST_CALL_EVERY: Duration = Duration::from_millis(50);
/// Calls in a row that the store took and that did not come back, before the link counts as dead.
const UNHEARD_MAX: u32 = 3;
/// As before, until the first has come back.
const FIRST_UNHEARD_MAX: u32 = 100;
/// How long the end of a link may take that may be dead.
const PARTING: Duration = Duration::from_secs(5);
/// Pause before the next link, where one could not be made.
const REDIAL_PAUSE: Duration = Duration::from_millis(500);

/// Whom messages wake.
pub struct Wakes {
    /// Something may have been missed.
    pub resync: Arc<Notify>,
    /// The fleet may run other script versions.
    pub announced: Arc<Notify>,
}

/// Who listens, and what is told of what is heard.
pub struct Ear {
    endpoint: Endpoint,
    caller: Arc<Caller>,
    gateway: Arc<Gateway>,
    readiness: Arc<Readiness>,
    wakes: Wakes,
}

/// One connection that is subscribed.
struct Link {
    client: SubscriberClient,
    messages: tokio::sync::broadcast::Receiver<fred::types::Message>,
    reconnects: tokio::sync::broadcast::Receiver<fred::types::config::Server>,
}

/// How the node hears itself over one link.
#[derive(Default)]
struct Pulse {
    /// Calls that were made since the last one came back.
    unheard: AtomicU32,
    has_heard: AtomicBool,
}

impl Pulse {
    fn called(&self) {
        self.unheard.fetch_add(1, Ordering::Relaxed);
    }

    fn heard(&self) {
        self.unheard.store(0, Ordering::Relaxed);
        self.has_heard.store(true, Ordering::Relaxed);
    }

    fn is_dead(&self) -> bool {
        let max = if self.has_heard.load(Ordering::Relaxed) { UNHEARD_MAX } else { FIRST_UNHEARD_MAX };
        self.unheard.load(Ordering::Relaxed) >= max
    }

    fn pause(&self) -> Duration {
        if self.has_heard.load(Ordering::Relaxed) { CALL_EVERY } else { FIRST_CALL_EVERY }
    }
}

/// What a message is.
#[derive(Debug)]
enum Heard {
    /// Something to do for sessions of this node.
    Effects(Vec<Effect>),
    /// The node's own call, under this incarnation. Two processes of one name must not take each other's.
    Call { incarnation: u64 },
    /// Neither.
    Noise,
}

impl Ear {
    /// Hears nothing yet.
    pub fn new(
        endpoint: Endpoint,
        caller: Arc<Caller>,
        gateway: Arc<Gateway>,
        readiness: Arc<Readiness>,
        wakes: Wakes,
    ) -> Self {
        Self { endpoint, caller, gateway, readiness, wakes }
    }

    /// Subscribes, and listens in the background until the process ends. Fails only where the first connection cannot be
    /// made; that the subscription stands is told by [`Condition::Channel`].
    pub async fn listen(self) -> Result<(), StoreError> {
        let mut link = self.dial().await?;
        tokio::spawn(async move {
            loop {
                self.attend(&mut link).await;
                Metric::ChannelLosses.counter().increment(1);
                tracing::warn!("the node does not hear itself on its channel any more and subscribes anew");
                self.readiness.set(Condition::Channel, false);
                let dead = std::mem::replace(&mut link, self.redial().await);
                hang_up(dead.client);
                self.wakes.resync.notify_one();
                self.wakes.announced.notify_one();
            }
        });
        Ok(())
    }

    async fn dial(&self) -> Result<Link, StoreError> {
        let client = self.endpoint.subscriber()?;
        let (messages, reconnects) = (client.message_rx(), client.reconnect_rx());
        client.init().await?;
        client.manage_subscriptions();
        let subscribed = client.subscribe(vec![self.caller.standing().channel().as_str(), SCRIPTS_CHANNEL]).await;
        if let Err(error) = subscribed {
            hang_up(client);
            return Err(error.into());
        }
        Ok(Link { client, messages, reconnects })
    }

    async fn redial(&self) -> Link {
        loop {
            match self.dial().await {
                Ok(link) => return link,
                Err(error) => tracing::warn!(%error, "the channel cannot be subscribed to yet"),
            }
            tokio::time::sleep(REDIAL_PAUSE).await;
        }
    }

    /// Listens until the link is dead.
    async fn attend(&self, link: &mut Link) {
        let pulse = Pulse::default();
        tokio::select! {
            () = self.hear_all(link, &pulse) => {}
            () = self.keep_calling(&pulse) => {}
        }
    }

    /// A connection that comes back by itself, or a message that was missed, wakes `resync`: what a lost kick would have
    /// said is then found by a verify.
    async fn hear_all(&self, link: &mut Link, pulse: &Pulse) {
        loop {
            tokio::select! {
                message = link.messages.recv() => match message {
                    Ok(message) if message.channel == SCRIPTS_CHANNEL => self.wakes.announced.notify_one(),
                    Ok(message) => if self.hear(message.value) {
                        pulse.heard();
                    },
                    Err(RecvError::Lagged(missed)) => {
                        tracing::warn!(missed, "messages of the node channel were missed, verifying");
                        self.wakes.resync.notify_one();
                    }
                    Err(RecvError::Closed) => return,
                },
                Ok(_) = link.reconnects.recv() => {
                    self.wakes.resync.notify_one();
                    self.wakes.announced.notify_one();
                },
            }
        }
    }

    /// Calls this node again and again, until too many calls did not come back. One that the store did not take says
    /// nothing about the link.
    async fn keep_calling(&self, pulse: &Pulse) {
        while !pulse.is_dead() {
            if self.caller.run("ping", None, Arguments::new()).await.is_ok() {
                pulse.called();
            }
            tokio::time::sleep(pulse.pause()).await;
        }
    }

    /// Carries out a message. Answers whether it was this node's own call.
    fn hear(&self, value: Value) -> bool {
        match decode(value) {
            Heard::Effects(effects) => self.gateway.apply(effects),
            Heard::Call { incarnation } if incarnation == self.caller.standing().incarnation() => {
                if self.readiness.set(Condition::Channel, true) {
                    // Whatever was published before the subscription stood is lost.
                    self.wakes.resync.notify_one();
                }
                return true;
            }
            Heard::Call { .. } => {}
            Heard::Noise => tracing::warn!("a message of the node channel is not a list of effects and is ignored"),
        }
        false
    }
}

/// Ends a connection in the background; nobody waits for one that may be dead.
fn hang_up(client: SubscriberClient) {
    tokio::spawn(async move { timeout(PARTING, client.quit()).await });
}

fn decode(value: Value) -> Heard {
    match &value {
        Value::String(text) => decode_text(text.as_bytes()),
        Value::Bytes(bytes) => decode_text(bytes),
        _ => Heard::Noise,
    }
}

fn decode_text(bytes: &[u8]) -> Heard {
    let Ok(message) = serde_json::from_slice::<serde_json::Value>(bytes) else { return Heard::Noise };
    if let Some(incarnation) = message["ping"].as_u64() {
        return Heard::Call { incarnation };
    }
    let Some(Item::List(items)) = Item::from_json(message) else { return Heard::Noise };
    decode_effects(items).map_or(Heard::Noise, Heard::Effects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_kick_is_decoded() {
        let sid = crate::id::Sid::new();
        let text = format!(r#"[["kick","{sid}","displaced",1021,"{{\"error\":0}}"]]"#);
        let Heard::Effects(effects) = decode_text(text.as_bytes()) else { panic!("a well-formed message") };
        assert!(matches!(&effects[..], [Effect::Kick { sid: named, id: 1021, .. }] if *named == sid));
    }

    #[test]
    fn a_call_to_oneself_names_its_incarnation() {
        assert!(matches!(decode_text(br#"{"ping":1700000000000}"#), Heard::Call { incarnation: 1_700_000_000_000 }));
    }

    #[test]
    fn a_link_is_dead_when_calls_do_not_come_back() {
        let pulse = Pulse::default();
        pulse.called();
        pulse.heard();
        for _ in 0..UNHEARD_MAX {
            assert!(!pulse.is_dead());
            pulse.called();
        }
        assert!(pulse.is_dead());
        pulse.heard();
        assert!(!pulse.is_dead());
    }

    #[test]
    fn other_messages_are_refused_whole() {
        for text in ["", "{}", "[1]", r#"[["kick"]]"#, r#"[["kick",null]]"#, r#"[["boom"]]"#, r#"{"ping":"x"}"#] {
            assert!(matches!(decode_text(text.as_bytes()), Heard::Noise), "{text}");
        }
    }
}
