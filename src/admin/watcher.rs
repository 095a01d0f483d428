//! `/v1/users/{uid}/watchers/{watcher}`: who is told of a user's coming and going without being a friend.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::AdminState;
use super::problem::{Kind, Problem};
use super::user::read_uid;
use crate::script::{Argument, Arguments};

/// The path as the router decoded it.
type PairPath = Result<Path<(String, String)>, PathRejection>;

/// From now on the watcher is told.
pub async fn add(State(state): State<AdminState>, path: PairPath) -> Result<Json<Value>, Problem> {
    set(&state, path, "add").await
}

/// From now on not any more.
pub async fn remove(State(state): State<AdminState>, path: PairPath) -> Result<Json<Value>, Problem> {
    set(&state, path, "remove").await
}

async fn set(state: &AdminState, path: PairPath, what: &'static str) -> Result<Json<Value>, Problem> {
    let Path((uid, watcher)) = path.map_err(|error| Problem::invalid(error.body_text()))?;
    let (uid, watcher) = (read_uid(Ok(Path(uid)))?, read_uid(Ok(Path(watcher)))?);
    let arguments = Arguments::new().with(Argument::Peer, watcher.as_str()).with(Argument::Reason, what);
    let answer = state.caller.ask("watch", Some(&uid), arguments).await?;
    if answer["error"] == "watchers" {
        return Err(Problem::new(Kind::Full, "as many watch this user already as may be friends of one (friends.max)"));
    }
    let watching = answer["outcome"] == "watching";
    Ok(Json(json!({ "uid": uid.as_str(), "watcher": watcher.as_str(), "watching": watching })))
}
