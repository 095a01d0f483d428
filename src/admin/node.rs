//! `/v1/nodes`: the fleet as the directory knows it.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::AdminState;
use super::problem::Problem;
use crate::script::Arguments;

/// Every node, alive or not.
pub async fn list(State(state): State<AdminState>) -> Result<Json<Value>, Problem> {
    Ok(Json(state.caller.ask("nodes", None, Arguments::new()).await?))
}
