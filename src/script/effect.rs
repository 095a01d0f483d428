//! What a script asks Rust to do, decoded from its reply or from a message on the node's channel.

use bytes::Bytes;
use thiserror::Error;

use crate::id::{Name, Rank, Seat, Sid, Step, Uid};
use crate::reason::Reason;
use crate::script::argument::{Argument, Arguments};

/// First item of every reply. It tells the contract apart, and keeps the client library from taking a list of texts
/// for a pub/sub message.
pub const CONTRACT: i64 = 1;

/// A reply of Redis, or a JSON array of the node channel, reduced to what effects are made of.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    Integer(i64),
    Text(Bytes),
    List(Vec<Item>),
}

impl Item {
    /// A JSON value of the node channel; none for what no effect is made of.
    pub fn from_json(value: serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::Number(number) => number.as_i64().map(Item::Integer),
            serde_json::Value::String(text) => Some(Item::Text(text.into())),
            serde_json::Value::Array(items) => {
                items.into_iter().map(Self::from_json).collect::<Option<_>>().map(Item::List)
            }
            _ => None,
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send a frame to the connection that asked. Calls that no connection made use id 0 and read the body. A position says
    /// how far the frame brings the session in its user's messages; there is none where it says nothing of that.
    Reply { id: u16, body: Bytes, position: Option<u64> },
    /// The connection that asked now holds this seat.
    Bind { seat: Seat, rank: Rank },
    /// If that session is here: send the frame, serve it no more, close it after the grace time.
    Kick { sid: Sid, reason: Reason, id: u16, body: Bytes },
    /// Send a frame to another local session.
    Deliver { sid: Sid, id: u16, body: Bytes, step: Option<Step> },
    /// Run another script on a user's shard, its effects acting on the same connection.
    Call { script: String, uid: Uid, arguments: Arguments<'static> },
    /// The session that asks does not hold its seat: it was displaced, or the store forgot it. Hold it against its seat,
    /// and if it was not closed by that, run the script once more.
    Verify,
    /// Close the connection that asked.
    Close { reason: Reason },
}

/// The reply does not follow the contract: a fault of the script, never of the client.
#[derive(Debug, Error, PartialEq)]
pub enum EffectError {
    #[error("the reply is not a list that starts with the contract's number 1")]
    Contract,
    #[error("effect {position} is not a list that starts with its name")]
    Shape { position: usize },
    #[error("effect {position}: unknown name `{name}`; allowed are reply, bind, kick, deliver, call, verify, close")]
    Name { position: usize, name: String },
    #[error("effect {position}: `{name}` takes {takes}")]
    Fields { position: usize, name: &'static str, takes: &'static str },
    #[error("effect {position}: the body is not JSON")]
    Body { position: usize },
}

/// Decodes a script's reply: the contract's number, then the effects.
pub fn decode_reply(reply: Item) -> Result<Vec<Effect>, EffectError> {
    let Item::List(mut items) = reply else { return Err(EffectError::Contract) };
    if items.first() != Some(&Item::Integer(CONTRACT)) {
        return Err(EffectError::Contract);
    }
    items.remove(0);
    decode_effects(items)
}

/// Decodes a message of the node channel: a list of effects without the contract's number.
pub fn decode_effects(items: Vec<Item>) -> Result<Vec<Effect>, EffectError> {
    items.into_iter().enumerate().map(|(index, item)| decode_effect(index + 1, item)).collect()
}

fn decode_effect(position: usize, item: Item) -> Result<Effect, EffectError> {
    let Item::List(items) = item else { return Err(EffectError::Shape { position }) };
    let Some((Item::Text(name), fields)) = items.split_first() else {
        return Err(EffectError::Shape { position });
    };
    let wrong = |name, takes| EffectError::Fields { position, name, takes };
    let effect = match name.as_ref() {
        b"reply" => reply(fields).ok_or(wrong("reply", "id body, and perhaps a position")),
        b"bind" => bind(fields).ok_or(wrong("bind", "uid class number epoch")),
        b"kick" => kick(fields).ok_or(wrong("kick", "sid reason id body")),
        b"deliver" => deliver(fields).ok_or(wrong("deliver", "sid id body, and perhaps position and after")),
        b"call" => call(fields).ok_or(wrong("call", "script uid, then names and values of arguments")),
        b"verify" => fields.is_empty().then_some(Effect::Verify).ok_or(wrong("verify", "no fields")),
        b"close" => close(fields).ok_or(wrong("close", "reason")),
        _ => Err(EffectError::Name { position, name: String::from_utf8_lossy(name).into_owned() }),
    }?;
    check_body(position, effect)
}

fn check_body(position: usize, effect: Effect) -> Result<Effect, EffectError> {
    let body = match &effect {
        Effect::Reply { body, .. } | Effect::Kick { body, .. } | Effect::Deliver { body, .. } => body,
        _ => return Ok(effect),
    };
    match serde_json::from_slice::<&serde_json::value::RawValue>(body) {
        Ok(_) => Ok(effect),
        Err(_) => Err(EffectError::Body { position }),
    }
}

fn reply(fields: &[Item]) -> Option<Effect> {
    let (id, body, position) = match fields {
        [id, body] => (id, body, None),
        [id, body, position] => (id, body, Some(integer(position)?)),
        _ => return None,
    };
    Some(Effect::Reply { id: message_id(id)?, body: bytes(body)?, position })
}

fn bind(fields: &[Item]) -> Option<Effect> {
    let [uid, class, number, epoch] = fields else { return None };
    let seat = Seat { uid: Uid::parse(text(uid)?)?, class: Name::parse(text(class)?)? };
    Some(Effect::Bind { seat, rank: Rank { number: integer(number)?, epoch: integer(epoch)? } })
}

fn kick(fields: &[Item]) -> Option<Effect> {
    let [sid, reason, id, body] = fields else { return None };
    let (sid, reason) = (Sid::parse(text(sid)?)?, Reason::parse(text(reason)?)?);
    Some(Effect::Kick { sid, reason, id: message_id(id)?, body: bytes(body)? })
}

fn deliver(fields: &[Item]) -> Option<Effect> {
    let (sid, id, body, step) = match fields {
        [sid, id, body] => (sid, id, body, None),
        [sid, id, body, position, after] => {
            (sid, id, body, Some(Step { position: integer(position)?, after: integer(after)? }))
        }
        _ => return None,
    };
    Some(Effect::Deliver { sid: Sid::parse(text(sid)?)?, id: message_id(id)?, body: bytes(body)?, step })
}

fn call(fields: &[Item]) -> Option<Effect> {
    let [script, uid, pairs @ ..] = fields else { return None };
    let mut arguments = Arguments::new();
    if pairs.len() % 2 != 0 {
        return None;
    }
    for pair in pairs.chunks_exact(2) {
        arguments.set(Argument::parse(text(&pair[0])?)?, word(&pair[1])?);
    }
    Some(Effect::Call { script: text(script)?.to_owned(), uid: Uid::parse(text(uid)?)?, arguments })
}

fn close(fields: &[Item]) -> Option<Effect> {
    let [reason] = fields else { return None };
    Some(Effect::Close { reason: Reason::parse(text(reason)?)? })
}

fn text(item: &Item) -> Option<&str> {
    match item {
        Item::Text(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn word(item: &Item) -> Option<String> {
    match item {
        Item::Integer(number) => Some(number.to_string()),
        other => text(other).map(str::to_owned),
    }
}

fn bytes(item: &Item) -> Option<Bytes> {
    match item {
        Item::Text(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

/// Epochs and numbers may come as text: Redis' hashes hand them out so.
fn integer(item: &Item) -> Option<u64> {
    match item {
        Item::Integer(number) => u64::try_from(*number).ok(),
        other => text(other)?.parse().ok(),
    }
}

fn message_id(item: &Item) -> Option<u16> {
    match item {
        Item::Integer(id) => u16::try_from(*id).ok(),
        _ => None,
    }
}
