//! Holds the live sessions of this node against the seats, in both directions, and mends what differs.
//!
//! Sessions to seats: the script decides for each whether it is fine, seated again, or over. Roster to sessions: an
//! entry of this node whose session is not here when its page has arrived is logged out. A session is in the local map
//! before its login is sent, so this can never hit a login in flight.

use futures_util::StreamExt;
use futures_util::stream;
use serde::Deserialize;

use crate::gateway::Gateway;
use crate::id::{Sid, Uid};
use crate::script::caller::answer;
use crate::script::{Argument, Arguments, CallError, Caller, Effect, Shard};
use crate::session::SessionRecord;

/// Entries of one roster page.
const PAGE_MAX: usize = 500;
/// Calls in flight at once: a slice of the whole, so that logins find their way in between.
const CALLS_MAX: usize = 64;

/// What one round found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    /// Sessions that were held against their seats.
    pub verified: usize,
    /// Sessions that the store had lost and has again.
    pub repaired: usize,
    /// Sessions that were over and were told so here.
    pub closed: usize,
    /// Roster entries without a session that were removed.
    pub strays: usize,
    /// Sessions that had no answer, or none that could still be given; the round has to be run again.
    pub open: usize,
}

/// One round over all sessions and all shards.
pub async fn verify_all(caller: &Caller, gateway: &Gateway) -> Result<Findings, CallError> {
    let sessions = gateway.sessions();
    let mut findings = Findings { verified: sessions.len(), ..Findings::default() };
    let calls = sessions.into_iter().map(|session| verify_one(caller, gateway, session));
    let outcomes: Vec<_> = stream::iter(calls).buffer_unordered(CALLS_MAX).collect().await;
    for outcome in outcomes {
        match outcome.as_deref() {
            Ok("fine") => {}
            Ok("repaired") => findings.repaired += 1,
            Ok("closed") => findings.closed += 1,
            Ok(_) => findings.open += 1,
            Err(error) => {
                tracing::warn!(%error, "a session could not be verified");
                findings.open += 1;
            }
        }
    }
    for shard in caller.shards() {
        findings.strays += remove_strays(caller, gateway, shard).await?;
    }
    Ok(findings)
}

async fn verify_one(caller: &Caller, gateway: &Gateway, session: SessionRecord) -> Result<String, CallError> {
    let arguments = Arguments::new()
        .with(Argument::Sid, session.sid.to_string())
        .with(Argument::Class, session.seat.class.to_string())
        .with(Argument::Epoch, session.rank.epoch.to_string())
        .with(Argument::Number, session.rank.number.to_string())
        .with(Argument::TokenDigest, session.token_digest)
        .with(Argument::Address, session.address.to_string());
    let effects = caller.run("verify", Some(&session.seat.uid), arguments).await?.effects;
    let outcome = answer("verify", &effects)?["outcome"].as_str().unwrap_or_default().to_owned();
    for effect in &effects {
        if let Effect::Bind { rank, .. } = effect {
            gateway.rebind(session.sid, *rank);
        }
    }
    if outcome != "fine" {
        tracing::info!(uid = %session.seat.uid, sid = %session.sid, outcome, "a session and its seat differed");
    }
    gateway.apply(effects);
    Ok(outcome)
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Entry>,
    cursor: String,
}

#[derive(Deserialize)]
struct Entry {
    incarnation: u64,
    uid: String,
    class: String,
    sid: String,
}

async fn remove_strays(caller: &Caller, gateway: &Gateway, shard: Shard) -> Result<usize, CallError> {
    let (mut strays, mut cursor) = (0, String::new());
    loop {
        let page = roster_page(caller, shard, cursor).await?;
        let absent = page.entries.into_iter().filter(|entry| !is_here(gateway, entry));
        let calls = absent.map(|entry| logout(caller, entry));
        let outcomes: Vec<_> = stream::iter(calls).buffer_unordered(CALLS_MAX).collect().await;
        strays += outcomes.len();
        outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
        if page.cursor.is_empty() {
            return Ok(strays);
        }
        cursor = page.cursor;
    }
}

async fn roster_page(caller: &Caller, shard: Shard, cursor: String) -> Result<Page, CallError> {
    let arguments = Arguments::new().with(Argument::Cursor, cursor).with(Argument::PageMax, PAGE_MAX.to_string());
    let effects = caller.run_on("sessions", shard, None, arguments).await?.effects;
    serde_json::from_value(answer("sessions", &effects)?)
        .map_err(|error| CallError::Script { at: "sessions".to_owned(), message: format!("answers oddly: {error}") })
}

fn is_here(gateway: &Gateway, entry: &Entry) -> bool {
    Sid::parse(&entry.sid).is_some_and(|sid| gateway.is_here(sid))
}

async fn logout(caller: &Caller, entry: Entry) -> Result<(), CallError> {
    let Some(uid) = Uid::parse(&entry.uid) else { return Ok(()) };
    tracing::info!(%uid, sid = entry.sid, "a roster entry without a session is removed");
    let arguments = Arguments::new()
        .with(Argument::Sid, entry.sid)
        .with(Argument::Class, entry.class)
        .with(Argument::Incarnation, entry.incarnation.to_string());
    caller.run("logout", Some(&uid), arguments).await.map(|_| ())
}
