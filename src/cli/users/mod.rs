//! `oneseat users`: profiles, as the backend keeps them, and messages from the backend.

mod import;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::api::{Api, Target, encode};
use super::output::cell;
use super::{Shared, output};
use crate::error::{Exit, Fatal};
use crate::id::Uid;

/// The help of `oneseat users`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  oneseat users set 1001 name=ada nick=\"Ada L.\" sex=1 email=ada@example.org
  oneseat users show 1001
  oneseat users import users.jsonl         # one {\"uid\": 1001, \"name\": \"ada\", ...} a line
  oneseat users message 1001 \"maintenance at noon\" --from 1
  oneseat users erase 1001")]
pub struct Users {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Write the profiles of many users; bad lines are told by their numbers, and the rest goes on.
    Import {
        /// JSON lines, each with `uid` and fields of the profile; `-` for standard input.
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
    },
    /// Show the profile of a user, private fields included.
    Show {
        /// User to show.
        #[arg(value_parser = super::uid)]
        uid: Uid,
    },
    /// Set fields of a profile, and remove others.
    Set {
        /// User whose profile it is.
        #[arg(value_parser = super::uid)]
        uid: Uid,
        /// Fields to set.
        #[arg(value_name = "FIELD=VALUE", value_parser = field)]
        fields: Vec<(String, String)>,
        /// Fields to remove.
        #[arg(long, value_name = "FIELD")]
        remove: Vec<String>,
    },
    /// Take a user off line and remove everything of that user, friendships on both sides included.
    Erase {
        /// User to erase.
        #[arg(value_parser = super::uid)]
        uid: Uid,
    },
    /// Send a user a message, now or at the next login.
    Message {
        /// Who gets it.
        #[arg(value_parser = super::uid)]
        uid: Uid,
        /// The message.
        text: String,
        /// Who is told to have sent it; by default what the server sends for itself.
        #[arg(long, value_parser = super::uid)]
        from: Option<Uid>,
        /// Id of the message: one that is sent twice arrives once.
        #[arg(long, value_name = "ID")]
        msgid: Option<String>,
        /// Milliseconds for which it waits for a user who is off line; by default inbox.ttl_ms of the server.
        #[arg(long, value_name = "MS")]
        ttl_ms: Option<u64>,
    },
}

impl Users {
    pub fn run(self, shared: &Shared) -> Result<Exit, Fatal> {
        let api = Api::open(&self.target, shared)?;
        match self.action {
            Action::Import { file } => import::run(&api, &file, shared),
            Action::Show { uid } => show(&api, &uid, shared),
            Action::Set { uid, fields, remove } => set(&api, &uid, fields, remove, shared),
            Action::Erase { uid } => erase(&api, &uid, shared),
            Action::Message { uid, text, from, msgid, ttl_ms } => {
                let wanted = json!({ "content": text, "from": from.as_ref().map(Uid::as_str), "msgid": msgid, "ttl_ms": ttl_ms });
                message(&api, &uid, wanted, shared)
            }
        }
    }
}

fn show(api: &Api, uid: &Uid, shared: &Shared) -> Result<Exit, Fatal> {
    let user = api.get(&path(uid))?;
    if shared.json {
        output::line(&user["profile"])?;
        return Ok(Exit::Ok);
    }
    let empty = Map::new();
    let profile = user["profile"].as_object().unwrap_or(&empty);
    if profile.is_empty() {
        output::line("no profile")?;
        return Ok(Exit::Ok);
    }
    output::table(["FIELD", "VALUE"], profile.iter().map(|(name, value)| [name.clone(), cell(value)]))?;
    Ok(Exit::Ok)
}

/// One item of the path that takes many; it is the same rule.
fn set(
    api: &Api,
    uid: &Uid,
    fields: Vec<(String, String)>,
    remove: Vec<String>,
    shared: &Shared,
) -> Result<Exit, Fatal> {
    let set = fields.into_iter().map(|(name, value)| (name, Value::String(value)));
    let mut user: Map<String, Value> = set.chain(remove.into_iter().map(|name| (name, Value::Null))).collect();
    if user.is_empty() {
        return Err(Fatal::new(Exit::Usage, "nothing to set").hint("name fields as FIELD=VALUE or --remove FIELD"));
    }
    user.insert("uid".to_owned(), uid.as_str().into());
    let answer = api.post("/v1/users", &json!([user]))?[0].take();
    if !answer["status"].is_null() {
        return Err(Fatal::new(Exit::Failed, answer["detail"].as_str().unwrap_or("refused")));
    }
    match shared.json {
        true => output::line(answer)?,
        false => output::line(format_args!("written; {} friends have the new copy", answer["friends_refreshed"]))?,
    }
    Ok(Exit::Ok)
}

fn erase(api: &Api, uid: &Uid, shared: &Shared) -> Result<Exit, Fatal> {
    let answer = api.delete(&path(uid))?;
    match shared.json {
        true => output::line(answer)?,
        false => output::line(format_args!("{uid} is erased; sessions ended: {}", answer["kicked"]))?,
    }
    Ok(Exit::Ok)
}

fn message(api: &Api, uid: &Uid, wanted: Value, shared: &Shared) -> Result<Exit, Fatal> {
    let answer = api.post(&format!("{}/messages", path(uid)), &wanted)?;
    match shared.json {
        true => output::line(answer)?,
        false => output::line(format_args!("{}, as {}", cell(&answer["result"]), cell(&answer["msgid"])))?,
    }
    Ok(Exit::Ok)
}

fn path(uid: &Uid) -> String {
    format!("/v1/users/{}", encode(uid.as_str()))
}

/// Reads `FIELD=VALUE`.
fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected is FIELD=VALUE")?;
    match name {
        "" | "uid" => Err("expected is FIELD=VALUE, and uid is no field".to_owned()),
        name => Ok((name.to_owned(), value.to_owned())),
    }
}
