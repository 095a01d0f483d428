//! The node's channel: effects that scripts on other nodes, and the admin API, publish for sessions held here.

use std::sync::Arc;

use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Value;
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;

use crate::gateway::Gateway;
use crate::script::effect::{Item, decode_effects};
use crate::script::redis::{Endpoint, StoreError};
use crate::script::standing::SCRIPTS_CHANNEL;

/// Whom messages wake.
pub struct Wakes {
    /// Something may have been missed.
    pub resync: Arc<Notify>,
    /// The fleet may run other script versions.
    pub announced: Arc<Notify>,
}

/// Listens to the channel until the process ends. A connection that comes back, or a message that was missed, wakes
/// `resync`: what a lost kick would have said is then found by a verify.
pub async fn listen(
    endpoint: &Endpoint,
    channel: String,
    gateway: Arc<Gateway>,
    wakes: Wakes,
) -> Result<(), StoreError> {
    let Wakes { resync, announced } = wakes;
    let subscriber = endpoint.subscriber()?;
    let mut messages = subscriber.message_rx();
    let mut reconnects = subscriber.reconnect_rx();
    subscriber.init().await?;
    subscriber.manage_subscriptions();
    subscriber.subscribe(vec![channel.as_str(), SCRIPTS_CHANNEL]).await?;
    tokio::spawn(async move {
        // The client lives as long as this task, and the task as long as the client.
        let _subscriber = subscriber;
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Ok(message) if message.channel == SCRIPTS_CHANNEL => announced.notify_one(),
                    Ok(message) => carry_out(&gateway, message.value),
                    Err(RecvError::Lagged(missed)) => {
                        tracing::warn!(missed, channel, "messages of the node channel were missed, verifying");
                        resync.notify_one();
                    }
                    Err(RecvError::Closed) => return,
                },
                Ok(_) = reconnects.recv() => {
                    resync.notify_one();
                    announced.notify_one();
                },
            }
        }
    });
    Ok(())
}

fn carry_out(gateway: &Gateway, value: Value) {
    let effects = match &value {
        Value::String(text) => decode(text.as_bytes()),
        Value::Bytes(bytes) => decode(bytes),
        _ => None,
    };
    match effects {
        Some(effects) => gateway.apply(effects),
        None => tracing::warn!("a message of the node channel is not a list of effects and is ignored"),
    }
}

fn decode(bytes: &[u8]) -> Option<Vec<crate::script::Effect>> {
    let Item::List(items) = Item::from_json(serde_json::from_slice(bytes).ok()?)? else { return None };
    decode_effects(items).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Effect;

    #[test]
    fn a_published_kick_is_decoded() {
        let sid = crate::id::Sid::new();
        let text = format!(r#"[["kick","{sid}","displaced",1021,"{{\"error\":0}}"]]"#);
        let effects = decode(text.as_bytes()).expect("a well-formed message");
        assert!(matches!(&effects[..], [Effect::Kick { sid: named, id: 1021, .. }] if *named == sid));
    }

    #[test]
    fn other_messages_are_refused_whole() {
        for text in ["", "{}", "[1]", r#"[["kick"]]"#, r#"[["kick",null]]"#, r#"[["boom"]]"#] {
            assert!(decode(text.as_bytes()).is_none(), "{text}");
        }
    }
}
