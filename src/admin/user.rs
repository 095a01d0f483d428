//! `/v1/users/{uid}`: who holds the seats of a user, and sending that user away.

use std::collections::HashMap;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::Value;

use super::AdminState;
use super::problem::Problem;
use crate::id::{Name, Uid};
use crate::script::{Argument, Arguments, Verdict, caller};

/// Longest note of a kick, in bytes. It travels in a frame and stays in the trail.
const NOTE_BYTES_MAX: usize = 200;

/// The path as the router decoded it.
type UidPath = Result<Path<String>, PathRejection>;

/// Which sessions to end, and what to say. A misspelt name is refused: without its class a kick would end all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kick {
    class: Option<String>,
    note: Option<String>,
}

/// Seats and trail, as the script tells them. A seat whose node is dead counts for nothing from the moment when the
/// lease is out, though somebody has yet to reap it: it is told apart from those that are held.
pub async fn lookup(State(state): State<AdminState>, path: UidPath) -> Result<Json<Value>, Problem> {
    let uid = read_uid(path)?;
    let arguments = Arguments::new().with(Argument::Uid, uid.as_str());
    let mut user = state.caller.ask("lookup", Some(&uid), arguments).await?;
    let seats = user["seats"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let (held, unseated) = if seats.is_empty() { Default::default() } else { part(seats, &states(&state).await?) };
    (user["seats"], user["unseated"]) = (held.into(), unseated.into());
    Ok(Json(user))
}

/// What the directory says of each node: live, draining, dead or left.
async fn states(state: &AdminState) -> Result<HashMap<String, String>, Problem> {
    let answer = state.caller.ask("nodes", None, Arguments::new()).await?;
    let nodes = answer["nodes"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(nodes.map(|node| (text(&node["name"]), text(&node["state"]))).collect())
}

/// Parts the seats that are held from those of dead nodes, which say why. A node that the directory does not know may
/// well live: the directory may have been lost.
fn part(seats: Vec<Value>, states: &HashMap<String, String>) -> (Vec<Value>, Vec<Value>) {
    let (mut held, mut unseated) = (Vec::new(), Vec::new());
    for mut seat in seats {
        let state = seat["node"].as_str().and_then(|node| states.get(node)).map_or("unknown", String::as_str);
        let is_dead = matches!(state, "dead" | "left");
        seat[if is_dead { "reason" } else { "node_state" }] = state.into();
        if is_dead { &mut unseated } else { &mut held }.push(seat);
    }
    (held, unseated)
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
    let arguments = Arguments::new()
        .with(Argument::Uid, uid.as_str())
        .with(Argument::Class, class.as_ref().map_or("", Name::as_str))
        .with(Argument::Note, note);
    let Verdict { script, effects } = state.caller.run("kick", Some(&uid), arguments).await?;
    let answer = caller::answer("kick", &effects)?;
    tracing::info!(%uid, kicked = %answer["kicked"], script = %script.label(), "the admin API asked to kick");
    // The script has published the same to the nodes; what is here need not wait for that way round.
    state.gateway.apply(effects);
    Ok(Json(answer))
}

fn read_uid(path: UidPath) -> Result<Uid, Problem> {
    let Path(text) = path.map_err(|error| Problem::invalid(error.body_text()))?;
    Uid::parse(&text)
        .ok_or_else(|| Problem::invalid("a uid has 1 to 64 bytes of UTF-8 without | # { } and control characters"))
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
