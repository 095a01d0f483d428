//! `/v1/users/{uid}/messages` and `/inbox`: what the backend sends a user, and what waits for one.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::AdminState;
use super::chain::page;
use super::problem::{Kind, Problem};
use super::user::{UidPath, read_body, read_uid, read_uid_value};
use crate::config::MS_MAX;
use crate::script::{Argument, Arguments};

/// Who has sent a message that names nobody. No user of the wire has this uid.
const NOBODY: &str = "0";
/// Longest id of a message, in bytes.
const MSGID_BYTES_MAX: usize = 64;

/// A message, as it stands in the request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    content: String,
    from: Option<Value>,
    msgid: Option<String>,
    ttl_ms: Option<u64>,
}

/// Where a listing goes on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    cursor: Option<String>,
}

/// Puts a message into the inbox of a user, and sends it to the sessions of that user. With an id it may be asked for again:
/// it arrives once.
pub async fn send(
    State(state): State<AdminState>,
    path: UidPath,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let uid = read_uid(path)?;
    let wanted: Wanted = serde_json::from_value(read_body(body)?).map_err(|error| {
        Problem::invalid(format!("a message is {{\"content\", \"from\"?, \"msgid\"?, \"ttl_ms\"?}}: {error}"))
    })?;
    let from = wanted.from.filter(|from| !from.is_null()).map(|from| read_uid_value(&from)).transpose()?;
    let msgid = wanted.msgid.map_or_else(|| Ok(Uuid::new_v4().braced().to_string()), read_msgid)?;
    let mut message = json!({ "content": wanted.content, "msgid": msgid });
    if let Some(ttl_ms) = wanted.ttl_ms {
        if !(1..=MS_MAX).contains(&ttl_ms) {
            return Err(Problem::invalid(format!("ttl_ms is 1 to {MS_MAX}")));
        }
        message["ttl_ms"] = ttl_ms.into();
    }
    let arguments = Arguments::new()
        .with(Argument::Uid, uid.as_str())
        .with(Argument::Peer, from.as_ref().map_or(NOBODY, |from| from.as_str()).to_owned())
        .with(Argument::Body, message.to_string());
    let _turn = state.gateway.gate().enter().await?;
    let mut answer = state.caller.ask("post", Some(&uid), arguments).await?;
    if let Some(problem) = refused(&answer, uid.as_str()) {
        return Err(problem);
    }
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("error");
    }
    (answer["uid"], answer["msgid"]) = (uid.as_str().into(), msgid.into());
    Ok(Json(answer))
}

/// A page of what waits for a user, oldest first.
pub async fn inbox(
    State(state): State<AdminState>,
    path: UidPath,
    query: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let uid = read_uid(path)?;
    let Query(listing) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let cursor = listing.cursor.unwrap_or_default();
    if !cursor.bytes().all(|byte| byte.is_ascii_digit()) || cursor.len() > 16 {
        return Err(Problem::invalid("a cursor is what the page before answered"));
    }
    let mut answer = state.caller.ask("inbox", Some(&uid), page(cursor)).await?;
    answer["uid"] = uid.as_str().into();
    Ok(Json(answer))
}

fn read_msgid(msgid: String) -> Result<String, Problem> {
    let fits = (1..=MSGID_BYTES_MAX).contains(&msgid.len());
    fits.then_some(msgid).ok_or_else(|| Problem::invalid(format!("a msgid has 1 to {MSGID_BYTES_MAX} bytes")))
}

/// Why the message was not taken, if so.
fn refused(answer: &Value, uid: &str) -> Option<Problem> {
    let problem = match answer["error"].as_u64() {
        Some(0) => return None,
        Some(1001) => Problem::invalid("the message cannot be read"),
        Some(1011) => Problem::new(Kind::NoSuchUser, format!("nothing is known of a user {uid}")),
        Some(1105) => Problem::new(Kind::TooLarge, "the content is larger than text.bytes_max"),
        Some(1106) => Problem::new(Kind::Full, "the inbox is full (inbox.count_max, inbox.bytes_max)"),
        _ => Problem::new(Kind::Internal, format!("post answers {answer}")),
    };
    Some(problem)
}
