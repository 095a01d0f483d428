//! `/v1/users/{uid}`: who holds the seats of a user, and sending that user away. What all requests about users read is here,
//! too.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::problem::{Kind, Problem};
use super::{AdminState, BODY_BYTES_MAX};
use crate::id::{Name, Uid};
use crate::script::{Argument, Arguments, Verdict, caller};
use crate::wire::message::UID_MAX;

/// Longest note of a kick, in bytes. It travels in a frame and stays in the trail.
const NOTE_BYTES_MAX: usize = 200;

/// The path as the router decoded it.
pub type UidPath = Result<Path<String>, PathRejection>;

/// Which sessions to end, and what to say. A misspelt name is refused: without its class a kick would end all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kick {
    class: Option<String>,
    note: Option<String>,
}

/// Seats, trail and profile, as the scripts tell them. A seat whose node is dead counts for nothing from the moment when the
/// lease is out, though somebody has yet to reap it: it is told apart from those that are held.
pub async fn lookup(State(state): State<AdminState>, path: UidPath) -> Result<Json<Value>, Problem> {
    let uid = read_uid(path)?;
    let arguments = Arguments::new().with(Argument::Uid, uid.as_str());
    let mut user = state.caller.ask("lookup", Some(&uid), arguments).await?;
    let (mut held, mut unseated) = (Vec::new(), Vec::new());
    for mut seat in user["seats"].as_array_mut().map(std::mem::take).unwrap_or_default() {
        // A node that the directory does not know may well live: the directory may have been lost.
        let node = state_of(&state, seat["node"].as_str().unwrap_or_default()).await?;
        let is_dead = matches!(node.as_str(), "dead" | "left");
        seat[if is_dead { "reason" } else { "node_state" }] = node.into();
        if is_dead { &mut unseated } else { &mut held }.push(seat);
    }
    (user["seats"], user["unseated"]) = (held.into(), unseated.into());
    let arguments = Arguments::new().with(Argument::Uid, uid.as_str());
    let mut profile = state.caller.ask("profile", Some(&uid), arguments).await?;
    (user["profile"], user["erasing"]) = (profile["profile"].take(), profile["erasing"].take());
    Ok(Json(user))
}

/// What the directory says of a node: live, draining, dead, left or unknown.
async fn state_of(state: &AdminState, node: &str) -> Result<String, Problem> {
    let answer = state.caller.ask("node", None, Arguments::new().with(Argument::Node, node)).await?;
    Ok(answer["state"].as_str().unwrap_or("unknown").to_owned())
}

/// Ends the sessions of a user, of one class or of all, and voids the tickets.
pub async fn kick(
    State(state): State<AdminState>,
    path: UidPath,
    query: Result<Query<Kick>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let uid = read_uid(path)?;
    let Query(kick) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let class = kick.class.map(|class| read_class(&class)).transpose()?;
    let note = read_note(kick.note.unwrap_or_default())?;
    Ok(Json(end_sessions(&state, &uid, class.as_ref().map_or("", Name::as_str), &note).await?))
}

/// As [`kick`], of what was read already. Answers the sessions.
pub async fn end_sessions(state: &AdminState, uid: &Uid, class: &str, note: &str) -> Result<Value, Problem> {
    let arguments =
        Arguments::new().with(Argument::Uid, uid.as_str()).with(Argument::Class, class).with(Argument::Note, note);
    let Verdict { script, effects } = state.caller.run("kick", Some(uid), arguments).await?;
    let answer = caller::answer("kick", &effects)?;
    tracing::info!(%uid, kicked = %answer["kicked"], script = %script.label(), "the admin API asked to kick");
    // The script has published the same to the nodes; what is here need not wait for that way round.
    state.gateway.apply(effects);
    Ok(answer)
}

/// The user of the path.
pub fn read_uid(path: UidPath) -> Result<Uid, Problem> {
    let Path(text) = path.map_err(|error| Problem::invalid(error.body_text()))?;
    Uid::parse(&text)
        .ok_or_else(|| Problem::invalid("a uid has 1 to 64 bytes of UTF-8 without | # { } and control characters"))
}

/// A user in a body. A number or a text; both name the same user.
pub fn read_uid_value(value: &Value) -> Result<Uid, Problem> {
    let text = match value {
        Value::String(text) => Some(text.clone()),
        value => value.as_u64().filter(|uid| (1..=UID_MAX).contains(uid)).map(|uid| uid.to_string()),
    };
    text.and_then(|text| Uid::parse(&text)).ok_or_else(|| {
        Problem::invalid(format!(
            "a uid is an integer from 1 to {UID_MAX}, or a text of 1 to 64 bytes without | # {{ }} and control characters"
        ))
    })
}

/// A whole body, as JSON.
pub fn read_body(body: Result<Bytes, BytesRejection>) -> Result<Value, Problem> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(Kind::TooLarge, format!("at most {BODY_BYTES_MAX} bytes are read"))
        }
        _ => Problem::invalid(rejection.body_text()),
    })?;
    serde_json::from_slice(&body).map_err(|error| Problem::invalid(format!("not JSON: {error}")))
}

/// A device class by name.
pub fn read_class(text: &str) -> Result<Name, Problem> {
    Name::parse(text).ok_or_else(|| Problem::invalid("a class has 1 to 64 characters of A-Z a-z 0-9 . _ -"))
}

fn read_note(note: String) -> Result<String, Problem> {
    if note.len() > NOTE_BYTES_MAX || note.chars().any(char::is_control) {
        return Err(Problem::invalid(format!("a note has at most {NOTE_BYTES_MAX} bytes and no control characters")));
    }
    Ok(note)
}
