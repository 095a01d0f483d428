//! `POST /v1/tickets`: a token for a seat, and the node to go to with it. One, or an array of them.
//!
//! Only the digest of a token leaves this module. The token itself is in the answer and nowhere else.

use std::collections::{HashMap, HashSet};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use futures_util::StreamExt;
use futures_util::stream::iter;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::chain::CALLS_MAX;
use super::problem::{Kind, Problem};
use super::user::{read_body, read_class, read_uid_value};
use super::{AdminState, Settings};
use crate::config::{MS_MAX, split_host_port};
use crate::digest::TokenDigest;
use crate::fleet::assign::{Assignment, Wish, assign};
use crate::id::{Name, Seat};
use crate::script::{Argument, Arguments};

/// Tickets of one request.
const TICKETS_MAX: usize = 1000;
/// Milliseconds after which to ask again where nobody knows better.
const RETRY_AFTER_MS: u64 = 1_000;

/// What is asked for, as it stands in the request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    uid: Value,
    class: Option<String>,
    token: Option<String>,
    ttl_ms: Option<u64>,
    zone: Option<String>,
}

/// What is asked for, checked.
struct Order {
    /// As it was given, to be given back in the same form.
    uid: Value,
    seat: Seat,
    token: String,
    ttl_ms: u64,
    zone: String,
}

/// Where a ticket leads.
type Place = (String, u16);

/// Answers an object with an object and an array with an array, in the same order; what failed is a problem document in
/// its place.
pub async fn issue(
    State(state): State<AdminState>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    match read_body(body)? {
        Value::Array(items) => Ok(Json(Value::Array(issue_all(&state, items).await?))),
        item => {
            let order = read(item, &state.settings)?;
            // Before the place is booked: nobody would come for it.
            let _turn = state.gateway.gate().enter().await?;
            let place = assign_all(&state, &order.zone, 1).await?.remove(0)?;
            Ok(Json(issue_one(&state, order, place).await?))
        }
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
    let mut places = places_of(state, &orders).await?;
    let issued = iter(orders).map(|order| {
        let place = order.as_ref().ok().and_then(|order| places.get_mut(&order.zone)?.pop());
        async move {
            match (order, place) {
                (Ok(order), Some(place)) => {
                    let place = place?;
                    let _turn = state.gateway.gate().enter().await?;
                    issue_one(state, order, place).await
                }
                (Ok(_), None) => Err(no_node(None)),
                (Err(problem), _) => Err(problem),
            }
        }
    });
    let answer = |issued: Result<Value, Problem>| issued.unwrap_or_else(|problem| problem.to_json());
    Ok(issued.buffered(CALLS_MAX).map(answer).collect().await)
}

/// Places for all orders of one request, by zone: one question to the directory for each zone.
async fn places_of(
    state: &AdminState,
    orders: &[Result<Order, Problem>],
) -> Result<HashMap<String, Vec<Result<Place, Problem>>>, Problem> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for order in orders.iter().flatten() {
        *counts.entry(order.zone.clone()).or_default() += 1;
    }
    let mut places = HashMap::new();
    for (zone, count) in counts {
        let assigned = assign_all(state, &zone, count).await?;
        places.insert(zone, assigned);
    }
    Ok(places)
}

async fn issue_one(state: &AdminState, order: Order, (host, port): Place) -> Result<Value, Problem> {
    let Order { uid, seat, token, ttl_ms, .. } = order;
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

/// Where to send newcomers: as many places, or reasons why there is none, as were asked for.
async fn assign_all(state: &AdminState, zone: &str, count: usize) -> Result<Vec<Result<Place, Problem>>, Problem> {
    let wish = Wish { count, zone, reserve: state.settings.reserve };
    let Assignment { addresses, retry_after_ms } = assign(&state.caller, wish).await?;
    let mut places: Vec<_> = addresses.iter().map(|address| place(address)).collect();
    places.resize_with(count, || Err(no_node(Some(retry_after_ms))));
    Ok(places)
}

fn place(address: &str) -> Result<Place, Problem> {
    let (host, port) = split_host_port(address)
        .ok_or_else(|| Problem::new(Kind::Internal, format!("a node has no address to dial: {address:?}")))?;
    Ok((host.to_owned(), port))
}

fn no_node(retry_after_ms: Option<u64>) -> Problem {
    let detail = "no node takes newcomers: none is alive, or all are full or being drained";
    Problem::new(Kind::Unavailable, detail.to_owned()).retry_after(retry_after_ms.unwrap_or(RETRY_AFTER_MS))
}

fn read(item: Value, settings: &Settings) -> Result<Order, Problem> {
    let wanted: Wanted = serde_json::from_value(item).map_err(|error| {
        Problem::invalid(format!("a ticket is {{\"uid\", \"class\"?, \"token\"?, \"ttl_ms\"?, \"zone\"?}}: {error}"))
    })?;
    let uid = read_uid_value(&wanted.uid)?;
    let class = wanted.class.map_or_else(|| Ok(settings.class.clone()), |class| read_class(&class))?;
    let token = wanted.token.map_or_else(|| Ok(fresh_token()), read_token)?;
    let ttl_ms = wanted.ttl_ms.unwrap_or(settings.ttl_ms);
    if !(1..=MS_MAX).contains(&ttl_ms) {
        return Err(Problem::invalid(format!("ttl_ms is 1 to {MS_MAX}")));
    }
    let zone = wanted.zone.map_or_else(|| Ok(settings.zone.clone()), read_zone)?;
    Ok(Order { uid: wanted.uid, seat: Seat { uid, class }, token, ttl_ms, zone })
}

/// An empty one asks for none, also where this node has one.
fn read_zone(zone: String) -> Result<String, Problem> {
    let fits = zone.is_empty() || Name::parse(&zone).is_some();
    fits.then_some(zone)
        .ok_or_else(|| Problem::invalid("a zone is empty, or has 1 to 64 characters of A-Z a-z 0-9 . _ -"))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let loaded = crate::config::Loaded::read(None, []).expect("the defaults are valid");
        Settings {
            token: loaded.config.admin.token,
            class: loaded.config.seat.class,
            ttl_ms: loaded.config.ticket.ttl_ms,
            zone: loaded.config.node.zone,
            reserve: std::time::Duration::from_millis(loaded.config.ticket.reserve_ms),
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
