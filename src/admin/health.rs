//! `/healthz` and `/readyz`, for supervisors and load balancers. They ask no token and tell no secret.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::AdminState;
use crate::readiness::Condition;

/// The process answers. Nothing else is looked at: a store that is away is no reason to restart this process.
pub async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Whether newcomers may be sent here, and if not, why.
pub async fn ready(State(state): State<AdminState>) -> Response {
    // The beat notices a lost connection only when it is due; the client library knows at once.
    let is_missing = |condition: &Condition| match condition {
        Condition::Redis => !state.readiness.is_met(*condition) || !state.caller.is_connected(),
        other => !state.readiness.is_met(*other),
    };
    let missing: Vec<Value> = Condition::ALL
        .into_iter()
        .filter(is_missing)
        .map(|condition| {
            // Why the fleet's versions cannot be followed is worth more than that they cannot.
            let trouble = state.caller.trouble().filter(|_| condition == Condition::Scripts);
            let detail = trouble.map_or_else(|| condition.missing().to_owned(), |trouble| trouble.to_string());
            json!({ "name": condition.as_str(), "detail": detail })
        })
        .collect();
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": missing.is_empty(), "missing": missing }))).into_response()
}
