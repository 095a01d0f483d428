//! `DELETE /v1/users/{uid}`: everything of a user goes. It may be cut off anywhere, and is then asked for again.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::AdminState;
use super::chain::{carry_out, page};
use super::problem::{Kind, Problem};
use super::user::{UidPath, end_sessions, read_uid};
use crate::id::Uid;
use crate::script::{Argument, Arguments};

/// Times that all friends are gone through. The first ends the friendships and the second finds none; more are needed where
/// somebody comes in between.
const PASSES_MAX: usize = 5;
/// Milliseconds after which to ask again.
const RETRY_AFTER_MS: u64 = 1_000;

/// What a pass over the friends found.
enum Pass {
    /// A session came meanwhile.
    Held,
    /// So many friends have yet to be looked at again.
    Left(u64),
}

/// Takes the user off line, ends the friendships on both sides, then removes what is left.
pub async fn erase(State(state): State<AdminState>, path: UidPath) -> Result<Json<Value>, Problem> {
    let uid = read_uid(path)?;
    let mut kicked = 0;
    for _ in 0..PASSES_MAX {
        let answer = end_sessions(&state, &uid, "", "").await?;
        kicked += answer["kicked"].as_array().map_or(0, Vec::len);
        if let Pass::Left(0) = pass(&state, &uid).await? {
            let rest = state.caller.ask("erase_rest", Some(&uid), Arguments::new()).await?;
            if rest["left"] == 0 {
                tracing::info!(%uid, "the admin API asked to erase a user, who is gone");
                return Ok(Json(json!({ "uid": uid.as_str(), "erased": true, "kicked": kicked })));
            }
        }
    }
    let detail = "not all friends could be told, or the user logs in again and again; repeat the request";
    Err(Problem::new(Kind::Unavailable, detail).retry_after(RETRY_AFTER_MS))
}

/// Goes through all friends once.
async fn pass(state: &AdminState, uid: &Uid) -> Result<Pass, Problem> {
    let (mut cursor, mut left) = (String::new(), 0);
    loop {
        let arguments = page(cursor).with(Argument::Uid, uid.as_str());
        let answer = carry_out(&state.caller, "erase", uid, arguments).await?;
        if answer["error"] == "held" {
            return Ok(Pass::Held);
        }
        left += answer["left"].as_u64().unwrap_or_default();
        cursor = answer["cursor"].as_str().unwrap_or_default().to_owned();
        if cursor.is_empty() {
            return Ok(Pass::Left(left));
        }
    }
}
