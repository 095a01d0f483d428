//! `/v1/nodes`: the fleet as the directory knows it, and the drain of a node.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::AdminState;
use super::problem::{Kind, Problem};
use crate::config::MS_MAX;
use crate::fleet::count::count_sessions;
use crate::id::Name;
use crate::script::{Argument, Arguments};

/// Over how long sessions are sent away where nobody says it, in milliseconds.
const OVER_MS: u64 = 60_000;

/// The path as the router decoded it.
type NamePath = Result<Path<String>, PathRejection>;

/// How a node is to be emptied. A misspelt name is refused.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Drain {
    over_ms: Option<u64>,
}

/// Every node, alive or not. The directory has the counts of the last beats; here each is asked of the rosters, and that of
/// the last beat stands where one of them does not answer.
pub async fn list(State(state): State<AdminState>) -> Result<Json<Value>, Problem> {
    let mut answer = state.caller.ask("nodes", None, Arguments::new()).await?;
    for node in answer["nodes"].as_array_mut().into_iter().flatten() {
        node["count"] = count(&state, node).await?;
    }
    Ok(Json(answer))
}

/// The sessions of a node of the directory's listing. Those of a dead one count for nothing from the moment when its
/// lease is out.
async fn count(state: &AdminState, node: &Value) -> Result<Value, Problem> {
    let name = node["name"].as_str().and_then(Name::parse);
    match (name, node["incarnation"].as_u64()) {
        _ if node["live"] != true => Ok(0.into()),
        (Some(name), Some(incarnation)) => match count_sessions(&state.caller, &name, incarnation).await {
            Ok(count) => Ok(count.into()),
            Err(error) if error.retry_after_ms().is_some() => Ok(node["count"].clone()),
            Err(error) => Err(error.into()),
        },
        _ => Ok(node["count"].clone()),
    }
}

/// Has a node emptied: it gets no newcomers, and its clients are sent to other nodes at an even pace.
pub async fn drain(
    State(state): State<AdminState>,
    path: NamePath,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let name = read_name(path)?;
    let body = body.map_err(|error| Problem::invalid(error.body_text()))?;
    let over_ms = read_drain(&body)?.over_ms.unwrap_or(OVER_MS);
    if !(1..=MS_MAX).contains(&over_ms) {
        return Err(Problem::invalid(format!("over_ms is 1 to {MS_MAX}")));
    }
    let mut answer = set_draining(&state, &name, Some(over_ms)).await?;
    answer["over_ms"] = over_ms.into();
    tracing::info!(%name, over_ms, count = %answer["count"], others = %answer["others"], "the admin API asked to drain");
    Ok(Json(answer))
}

/// Lets a node take newcomers again.
pub async fn undrain(State(state): State<AdminState>, path: NamePath) -> Result<Json<Value>, Problem> {
    let name = read_name(path)?;
    let answer = set_draining(&state, &name, None).await?;
    tracing::info!(%name, "the admin API asked to end a drain");
    Ok(Json(answer))
}

/// Answers with the node's sessions, and how many other nodes take newcomers.
async fn set_draining(state: &AdminState, name: &Name, over_ms: Option<u64>) -> Result<Value, Problem> {
    let arguments = Arguments::new()
        .with(Argument::Node, name.as_str())
        .with(Argument::Draining, if over_ms.is_some() { "1" } else { "" })
        .with(Argument::OverMs, over_ms.unwrap_or_default().to_string());
    let answer = state.caller.ask("drain", None, arguments).await?;
    match answer["outcome"].as_str() {
        Some("unknown") => Err(Problem::new(Kind::NoSuchNode, format!("the directory knows no node {name}"))),
        Some("dead") => Err(Problem::new(Kind::NoSuchNode, format!("node {name} is dead, there is nothing to empty"))),
        _ => {
            let listing = state.caller.ask("nodes", None, Arguments::new()).await?;
            let node = listing["nodes"].as_array().into_iter().flatten().find(|node| node["name"] == name.as_str());
            let count = count(state, node.unwrap_or(&Value::Null)).await?;
            Ok(json!({
                "node": name.as_str(),
                "draining": over_ms.is_some(),
                "count": count,
                "others": answer["others"],
            }))
        }
    }
}

/// An object, as a list would be read by position.
fn read_drain(body: &[u8]) -> Result<Drain, Problem> {
    if body.is_empty() {
        return Ok(Drain::default());
    }
    let object: Result<Map<String, Value>, _> = serde_json::from_slice(body);
    object
        .and_then(|object| serde_json::from_value(Value::Object(object)))
        .map_err(|error| Problem::invalid(format!("no {{\"over_ms\": N}}: {error}")))
}

fn read_name(path: NamePath) -> Result<Name, Problem> {
    let Path(text) = path.map_err(|error| Problem::invalid(error.body_text()))?;
    Name::parse(&text).ok_or_else(|| Problem::invalid("the name of a node has 1 to 64 characters of A-Z a-z 0-9 . _ -"))
}
