//! `/v1/nodes`: the fleet as the directory knows it.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::AdminState;
use super::problem::Problem;
use crate::fleet::count::count_sessions;
use crate::id::Name;
use crate::script::Arguments;

/// Every node, alive or not. The directory has the counts of the last beats; here each is asked of the rosters.
pub async fn list(State(state): State<AdminState>) -> Result<Json<Value>, Problem> {
    let mut answer = state.caller.ask("nodes", None, Arguments::new()).await?;
    for node in answer["nodes"].as_array_mut().into_iter().flatten() {
        let name = node["name"].as_str().and_then(Name::parse);
        if node["live"] != true {
            // The sessions of a dead node count for nothing from the moment when its lease is out.
            node["count"] = 0.into();
        } else if let (Some(name), Some(incarnation)) = (name, node["incarnation"].as_u64()) {
            node["count"] = count_sessions(&state.caller, &name, incarnation).await?.into();
        }
    }
    Ok(Json(answer))
}
