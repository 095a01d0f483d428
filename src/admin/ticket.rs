//! `POST /v1/tickets`: a token for a seat, and the node to go to with it. One, or an array of them.
//!
//! Only the digest of a token leaves this module. The token itself is in the answer and nowhere else.

use std::collections::HashSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use futures_util::StreamExt;
use futures_util::stream::iter;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::user::read_class;
use super::{AdminState, BODY_BYTES_MAX, Settings};
use crate::config::{MS_MAX, split_host_port};
use crate::digest::TokenDigest;
use crate::id::{Seat, Uid};
use crate::script::{Argument, Arguments};
use crate::wire::message::UID_MAX;

/// Tickets of one request.
const TICKETS_MAX: usize = 1000;
/// Script calls of one request that are under way at a time.
const CALLS_MAX: usize = 32;

/// What is asked for, as it stands in the request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    uid: Value,
    class: Option<String>,
    token: Option<String>,
    ttl_ms: Option<u64>,
}

/// What is asked for, checked.
struct Order {
    /// As it was given, to be given back in the same form.
    uid: Value,
    seat: Seat,
    token: String,
    ttl_ms: u64,
}

/// Answers an object with an object and an array with an array, in the same order; what failed is a problem document in
/// its place.
pub async fn issue(
    State(state): State<AdminState>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let body = body.map_err(|rejection| unread(&rejection))?;
    let wanted: Value =
        serde_json::from_slice(&body).map_err(|error| Problem::invalid(format!("not JSON: {error}")))?;
    match wanted {
        Value::Array(items) => Ok(Json(Value::Array(issue_all(&state, items).await?))),
        item => Ok(Json(issue_one(&state, read(item, &state.settings)?).await?)),
    }
}

async fn issue_all(state: &AdminState, items: Vec<Value>) -> Result<Vec<Value>, Problem> {
    if items.len() > TICKETS_MAX {
        return Err(Problem::invalid(format!("an array has at most {TICKETS_MAX} tickets")));
    }
    let mut seats = HashSet::new();
    let orders = items.into_iter().map(|item| {
        let order = read(item, &state.settings)?;
        // The second would void the first, or the first the second: they are under way at the same time.
        match seats.insert(order.seat.clone()) {
            true => Ok(order),
            false => Err(Problem::invalid("an earlier item of the array is for the same uid and class")),
        }
    });
    let orders: Vec<Result<Order, Problem>> = orders.collect();
    let issued = iter(orders).map(async |order| match order {
        Ok(order) => issue_one(state, order).await,
        Err(problem) => Err(problem),
    });
    let answer = |issued: Result<Value, Problem>| issued.unwrap_or_else(|problem| problem.to_json());
    Ok(issued.buffered(CALLS_MAX).map(answer).collect().await)
}

async fn issue_one(state: &AdminState, order: Order) -> Result<Value, Problem> {
    let (host, port) = assign(state).await?;
    let Order { uid, seat, token, ttl_ms } = order;
    let arguments = Arguments::new()
        .with(Argument::Class, seat.class.as_str())
        .with(Argument::TokenDigest, TokenDigest::of(&token).to_string())
        .with(Argument::TtlMs, ttl_ms.to_string());
    let issued = state.caller.ask("ticket", Some(&seat.uid), arguments).await?;
    if issued["error"] == "token_in_use" {
        return Err(Problem::invalid(format!("this token is in use for class {} of the same user", issued["class"])));
    }
    Ok(json!({
        "uid": uid,
        "class": seat.class.as_str(),
        "token": token,
        "host": host,
        "port": port,
        "expires_at_ms": issued["expires_at_ms"],
    }))
}

/// Where to send the newcomer.
async fn assign(state: &AdminState) -> Result<(String, u16), Problem> {
    let answer = state.caller.ask("assign", None, Arguments::new()).await?;
    if let Some(error) = answer["error"].as_str() {
        let detail = match error {
            "no_node" => "no node takes newcomers: none is alive, or all are full or being emptied".to_owned(),
            other => format!("no node was assigned: {other}"),
        };
        return Err(
            Problem::new(Kind::Unavailable, detail).retry_after(answer["retry_after_ms"].as_u64().unwrap_or(1000))
        );
    }
    let address = answer["address"].as_str().unwrap_or_default();
    let (host, port) = split_host_port(address).ok_or_else(|| {
        Problem::new(Kind::Internal, format!("node {} has no address to dial: {address:?}", answer["node"]))
    })?;
    Ok((host.to_owned(), port))
}

fn read(item: Value, settings: &Settings) -> Result<Order, Problem> {
    let wanted: Wanted = serde_json::from_value(item).map_err(|error| {
        Problem::invalid(format!("a ticket is {{\"uid\", \"class\"?, \"token\"?, \"ttl_ms\"?}}: {error}"))
    })?;
    let uid = read_uid(&wanted.uid)?;
    let class = wanted.class.map_or_else(|| Ok(settings.class.clone()), |class| read_class(&class))?;
    let token = wanted.token.map_or_else(|| Ok(fresh_token()), read_token)?;
    let ttl_ms = wanted.ttl_ms.unwrap_or(settings.ttl_ms);
    if !(1..=MS_MAX).contains(&ttl_ms) {
        return Err(Problem::invalid(format!("ttl_ms is 1 to {MS_MAX}")));
    }
    Ok(Order { uid: wanted.uid, seat: Seat { uid, class }, token, ttl_ms })
}

/// A number or a text; both name the same user.
fn read_uid(value: &Value) -> Result<Uid, Problem> {
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

/// The detail must not repeat the token.
fn read_token(token: String) -> Result<String, Problem> {
    let fits = (8..=256).contains(&token.len()) && !token.chars().any(char::is_control);
    fits.then_some(token).ok_or_else(|| Problem::invalid("a token has 8 to 256 bytes and no control characters"))
}

/// 122 random bits.
fn fresh_token() -> String {
    Uuid::new_v4().simple().to_string()
}

fn unread(rejection: &BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(Kind::TooLarge, format!("at most {BODY_BYTES_MAX} bytes are read"))
        }
        _ => Problem::invalid(rejection.body_text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let loaded = crate::config::Loaded::read(None, []).expect("the defaults are valid");
        Settings {
            token: loaded.config.admin.token,
            class: loaded.config.seat.class,
            ttl_ms: loaded.config.ticket.ttl_ms,
        }
    }

    #[test]
    fn numbers_and_texts_name_the_same_user() {
        for item in [json!({ "uid": 1001 }), json!({ "uid": "1001" })] {
            let order = read(item, &settings()).expect("both forms are allowed");
            assert_eq!(order.seat.uid.as_str(), "1001");
            assert_eq!((order.seat.class.as_str(), order.ttl_ms, order.token.len()), ("main", 86_400_000, 32));
        }
    }

    #[test]
    fn what_is_not_allowed_is_refused_without_repeating_the_token() {
        for item in [
            json!(null),
            json!("x"),
            json!({}),
            json!({ "uid": 0 }),
            json!({ "uid": -1 }),
            json!({ "uid": 1.5 }),
            json!({ "uid": 9_007_199_254_740_992_u64 }),
            json!({ "uid": "" }),
            json!({ "uid": "a|b" }),
            json!({ "uid": true }),
            json!({ "uid": [] }),
            json!({ "uid": 1, "class": "a b" }),
            json!({ "uid": 1, "token": "hunter2" }),
            json!({ "uid": 1, "token": "hunter2\nhunter2" }),
            json!({ "uid": 1, "ttl_ms": 0 }),
            json!({ "uid": 1, "ttl_ms": -5 }),
            json!({ "uid": 1, "ttl_ms": u64::MAX }),
            json!({ "uid": 1, "clas": "main" }),
        ] {
            let shown = item.to_string();
            match read(item, &settings()) {
                Ok(_) => panic!("{shown} was taken"),
                Err(problem) => assert!(!problem.to_json().to_string().contains("hunter2"), "{shown}"),
            }
        }
    }
}
