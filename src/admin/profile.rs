//! `PUT /v1/users/{uid}` and `POST /v1/users`: what the backend puts into profiles.
//!
//! A name lies on another shard than its user. It is claimed before it is written and the former one is released after, so
//! that whatever is cut off in between leaves no two users of one name; what is left behind is a claim that the next one
//! who wants the name may take over.

use std::collections::HashSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use futures_util::stream::iter;
use futures_util::{StreamExt, TryStreamExt};
use serde_json::{Map, Value, json};

use super::AdminState;
use super::chain::{CALLS_MAX, page};
use super::problem::{Kind, Problem};
use super::user::{UidPath, read_body, read_uid, read_uid_value};
use crate::id::Uid;
use crate::script::{Argument, Arguments};

/// Users of one request.
const USERS_MAX: usize = 1000;
/// Milliseconds after which to ask again where somebody else is at it.
const RETRY_AFTER_MS: u64 = 1_000;
/// Times that friends are given copies for one request.
const REFRESHES_MAX: usize = 5;
/// Fields of one request, twice as many as a profile has: all of them may be replaced by others.
const CHANGES_MAX: usize = 256;

/// Fields of a profile, checked as far as the store is not needed for it.
struct Change {
    /// The name, where one is to be set.
    name: Option<Uid>,
    /// Texts, and null for what is to go.
    fields: Map<String, Value>,
}

/// A name that belongs to a user, from a moment on.
struct Claim {
    name: Uid,
    at: String,
    /// Whether it was nobody's before, or another's.
    is_new: bool,
}

/// Sets the fields that are given, and removes those that are null.
pub async fn put(
    State(state): State<AdminState>,
    path: UidPath,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let uid = read_uid(path)?;
    let change = match read_body(body)? {
        Value::Object(fields) => read_change(fields)?,
        _ => return Err(Problem::invalid("a profile is an object of fields")),
    };
    let mut answer = write(&state, &uid, change).await?;
    answer["uid"] = uid.as_str().into();
    Ok(Json(answer))
}

/// Answers an array in the same order; what failed is a problem document in its place.
pub async fn put_all(
    State(state): State<AdminState>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let items = match read_body(body)? {
        Value::Array(items) if items.len() <= USERS_MAX => items,
        _ => return Err(Problem::invalid(format!("an array of at most {USERS_MAX} users is expected"))),
    };
    let mut users = HashSet::new();
    let wanted: Vec<_> = items.into_iter().map(|item| read_user(item, &mut users)).collect();
    let written = wanted.into_iter().map(|wanted| {
        let state = &state;
        async move {
            let (given, uid, change) = wanted?;
            let mut answer = write(state, &uid, change).await?;
            answer["uid"] = given;
            Ok(answer)
        }
    });
    let answer = |written: Result<Value, Problem>| written.unwrap_or_else(|problem| problem.to_json());
    Ok(Json(Value::Array(iter(written).buffered(CALLS_MAX).map(answer).collect().await)))
}

/// One user of an array: the uid as it was given and as it is meant, and the fields beside it.
fn read_user(item: Value, users: &mut HashSet<Uid>) -> Result<(Value, Uid, Change), Problem> {
    let Value::Object(mut fields) = item else {
        return Err(Problem::invalid("a user is an object with `uid` and fields of the profile"));
    };
    let given = fields.remove("uid").unwrap_or_default();
    let uid = read_uid_value(&given)?;
    // The two are under way at the same time: nobody could say which of them counts.
    if !users.insert(uid.clone()) {
        return Err(Problem::invalid("an earlier item of the array is for the same uid"));
    }
    Ok((given, uid, read_change(fields)?))
}

/// Numbers go on as the texts that they were written as, so that none is rounded.
fn read_change(mut fields: Map<String, Value>) -> Result<Change, Problem> {
    if fields.len() > CHANGES_MAX {
        return Err(Problem::invalid(format!("at most {CHANGES_MAX} fields can be changed at once")));
    }
    for (name, value) in &mut fields {
        match value {
            Value::Null | Value::String(_) => {}
            Value::Number(number) => *value = number.to_string().into(),
            _ => return Err(Problem::invalid(format!("{name} is a text or a number, or null to remove it"))),
        }
    }
    let name = fields.get("name").and_then(Value::as_str).map(read_name).transpose()?;
    Ok(Change { name, fields })
}

/// It stands in a key in the place of a uid, and a search takes digits alone for a uid.
fn read_name(text: &str) -> Result<Uid, Problem> {
    let name = Uid::parse(text).filter(|name| !name.as_str().bytes().all(|byte| byte.is_ascii_digit()));
    name.ok_or_else(|| {
        Problem::invalid("a name has 1 to 64 bytes without | # { } and control characters, and is not of digits alone")
    })
}

async fn write(state: &AdminState, uid: &Uid, change: Change) -> Result<Value, Problem> {
    let claim = match &change.name {
        Some(name) => Some(claim(state, name, uid).await?),
        None => None,
    };
    let at = claim.as_ref().map(|claim| claim.at.clone()).unwrap_or_default();
    let arguments =
        Arguments::new().with(Argument::Since, at).with(Argument::Body, Value::Object(change.fields).to_string());
    let mut written = state.caller.ask("put_profile", Some(uid), arguments).await?;
    if let Some(problem) = refused(&written) {
        if let Some(Claim { name, at, .. }) = claim.filter(|claim| claim.is_new) {
            release(state, &name, uid, at).await?;
        }
        return Err(problem);
    }
    // Others may have written a name that we would not.
    if let Some(former) = written["former"].as_str().and_then(Uid::parse) {
        release(state, &former, uid, text(&written["claim"])).await?;
    }
    let public = written["new"].take();
    // Also where this changed nothing: whoever wrote it before may have got no further.
    let friends = match written["stale"].as_str() {
        Some(stale) => refresh(state, uid, public.clone(), stale.to_owned()).await?,
        None => 0,
    };
    Ok(json!({ "public": public, "friends_refreshed": friends }))
}

/// Makes a name a user's. It may be another's only by a claim that did not get into the profile.
async fn claim(state: &AdminState, name: &Uid, uid: &Uid) -> Result<Claim, Problem> {
    let wish = Arguments::new().with(Argument::Who, uid.as_str());
    let mut answer = state.caller.ask("claim_name", Some(name), wish.clone()).await?;
    if answer["outcome"] == "taken" && !has_name(state, &answer["uid"], name).await? {
        let left = wish.with(Argument::Peer, text(&answer["uid"])).with(Argument::Since, answer["at"].to_string());
        answer = state.caller.ask("claim_name", Some(name), left).await?;
    }
    if answer["outcome"] == "taken" {
        let holder = text(&answer["uid"]);
        return Err(Problem::new(Kind::NameTaken, format!("the name {name} is that of user {holder}")).of_user(holder));
    }
    Ok(Claim { name: name.clone(), at: answer["at"].to_string(), is_new: answer["is_new"] == true })
}

async fn has_name(state: &AdminState, holder: &Value, name: &Uid) -> Result<bool, Problem> {
    let Some(holder) = holder.as_str().and_then(Uid::parse) else { return Ok(false) };
    let arguments = Arguments::new().with(Argument::Uid, holder.as_str());
    let answer = state.caller.ask("profile", Some(&holder), arguments).await?;
    Ok(answer["profile"]["name"] == name.as_str())
}

async fn release(state: &AdminState, name: &Uid, uid: &Uid, at: String) -> Result<(), Problem> {
    let arguments = Arguments::new().with(Argument::Peer, uid.as_str()).with(Argument::Since, at);
    state.caller.ask("release_name", Some(name), arguments).await?;
    Ok(())
}

/// Gives all friends the public profile that was written at a moment; and again, while it is written anew meanwhile, for the
/// copies may overtake each other. Answers how many friends have one.
async fn refresh(state: &AdminState, uid: &Uid, mut public: Value, mut stale: String) -> Result<usize, Problem> {
    for _ in 0..REFRESHES_MAX {
        let count = give_copies(state, uid, &public).await?;
        let arguments = Arguments::new().with(Argument::Since, stale);
        let mut answer = state.caller.ask("refreshed", Some(uid), arguments).await?;
        if answer["outcome"] == "fresh" || answer["public"] == public {
            return Ok(count);
        }
        (public, stale) = (answer["public"].take(), text(&answer["stale"]));
    }
    let detail = "the profile is written by others all the time; it is written, but friends may have older copies";
    Err(Problem::new(Kind::Unavailable, detail).retry_after(RETRY_AFTER_MS))
}

async fn give_copies(state: &AdminState, uid: &Uid, public: &Value) -> Result<usize, Problem> {
    let (mut cursor, mut count, body) = (String::new(), 0, public.to_string());
    loop {
        let friends = state.caller.ask("friends_of", Some(uid), page(cursor)).await?;
        let names = friends["friends"].as_array().into_iter().flatten();
        let refreshed = names.filter_map(|friend| friend.as_str().and_then(Uid::parse)).map(|friend| {
            let arguments = Arguments::new().with(Argument::Peer, uid.as_str()).with(Argument::Body, body.as_str());
            async move { state.caller.ask("refresh_friend", Some(&friend), arguments).await }
        });
        let calls: Vec<_> = refreshed.collect();
        let answers: Vec<Value> = iter(calls).buffer_unordered(CALLS_MAX).try_collect().await?;
        count += answers.iter().filter(|answer| answer["outcome"] == "fresh").count();
        cursor = text(&friends["cursor"]);
        if cursor.is_empty() {
            return Ok(count);
        }
    }
}

/// Why the script has written nothing, if so.
fn refused(written: &Value) -> Option<Problem> {
    let problem = match written["error"].as_str()? {
        "field" => Problem::invalid(format!("{} cannot be set to this: {FIELDS}", text(&written["field"]))),
        "fields" => Problem::invalid("a profile has at most 128 fields"),
        "erasing" => Problem::new(Kind::Erasing, "the user is being erased; repeat the DELETE until it is done"),
        "late" => Problem::new(Kind::Unavailable, "the name was claimed too long ago").retry_after(RETRY_AFTER_MS),
        word => Problem::new(Kind::Internal, format!("put_profile answers {word}")),
    };
    Some(problem)
}

/// What the script lets pass.
const FIELDS: &str = "names of fields are 1 to 64 of A-Z a-z 0-9 . _ -; nick has at most 128 bytes, icon and desc 512, \
    sex is 0 to 999, others have at most 4096 bytes";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(fields: Value) -> Result<Change, Problem> {
        let Value::Object(fields) = fields else { panic!("the test gives an object") };
        read_change(fields)
    }

    #[test]
    fn numbers_go_on_as_they_were_written() {
        let change = change(json!({ "a": 9_007_199_254_740_993_u64, "b": 1.5, "c": "x", "d": null })).expect("allowed");
        assert_eq!(Value::Object(change.fields), json!({ "a": "9007199254740993", "b": "1.5", "c": "x", "d": null }));
        assert!(change.name.is_none());
    }

    #[test]
    fn names_that_no_search_would_find_are_refused() {
        for name in ["", "1001", "a|b", "a\nb", &"x".repeat(65)] {
            assert!(change(json!({ "name": name })).is_err(), "{name}");
        }
        assert_eq!(change(json!({ "name": "7 of 9" })).expect("allowed").name.expect("a name").as_str(), "7 of 9");
        assert!(change(json!({ "name": null })).expect("null removes it").name.is_none());
    }

    #[test]
    fn lists_and_truth_values_are_no_fields() {
        for value in [json!(true), json!([]), json!({})] {
            assert!(change(json!({ "a": value })).is_err(), "{value}");
        }
    }
}
