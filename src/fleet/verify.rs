//! Holds the live sessions of this node against the seats, in both directions, and mends what differs.
//!
//! Sessions to seats: the script decides for each whether it is fine, seated again, or over. Roster to sessions: an
//! entry of this node whose session is not here when its page has arrived is logged out. A session is in the local map
//! before its login is sent, so this can never hit a login in flight.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::fleet::answer::read;
use crate::gateway::Gateway;
use crate::id::{Sid, Uid};
use crate::metric::Metric;
use crate::script::caller::answer;
use crate::script::{Argument, Arguments, CallError, Caller, Shard};

/// Entries of one roster page.
const PAGE_MAX: usize = 500;
/// Calls in flight at once, so that logins find their way in between.
const CALLS_MAX: usize = 64;
/// Sessions that are verified before a round that has time pauses.
const SLICE: usize = 512;
/// Rosters that are looked through at once.
const SHARDS_MAX: usize = 16;

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
    /// Sessions whose script failed, as it would again.
    pub failed: usize,
    /// A new round was asked for before this one came to its end.
    pub is_cut: bool,
}

impl Findings {
    /// Whether nothing was found that differed.
    pub fn is_clean(&self) -> bool {
        self.repaired + self.closed + self.strays + self.failed == 0
    }

    fn note(&mut self, outcome: Result<String, CallError>) {
        let (slot, label) = match outcome.as_deref() {
            Ok("fine") => return Metric::Verified.counter_of("fine").increment(1),
            Ok("repaired") => (&mut self.repaired, "repaired"),
            Ok("closed") => (&mut self.closed, "closed"),
            Ok(_) => (&mut self.open, "open"),
            Err(error) if error.retry_after_ms().is_some() => (&mut self.open, "open"),
            Err(_) => (&mut self.failed, "failed"),
        };
        *slot += 1;
        Metric::Verified.counter_of(label).increment(1);
        match outcome {
            Err(error) if label == "failed" => tracing::error!(%error, "a session cannot be verified"),
            Err(error) => tracing::debug!(%error, "a session could not be verified"),
            Ok(_) => {}
        }
    }
}

/// One round over all sessions and all shards. It takes its time where `over` gives it some, so that logins find their
/// way in between, until `hurry` asks for a new round.
pub async fn verify_all(
    caller: &Caller,
    gateway: &Gateway,
    over: Duration,
    hurry: &Notify,
) -> Result<Findings, CallError> {
    let sessions = gateway.sessions();
    let mut findings = Findings { verified: sessions.len(), ..Findings::default() };
    let slices = u32::try_from(sessions.len().div_ceil(SLICE)).unwrap_or(u32::MAX);
    let pause = over.checked_div(slices).unwrap_or_default();
    let mut is_urgent = over.is_zero();
    for slice in sessions.chunks(SLICE) {
        let calls = slice.iter().cloned().map(|session| gateway.verify(session));
        let outcomes: Vec<_> = stream::iter(calls).buffer_unordered(CALLS_MAX).collect().await;
        let is_away =
            outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(|error| error.retry_after_ms().is_some()));
        for outcome in outcomes {
            match outcome {
                Err(error) if is_away => return Err(error),
                outcome => findings.note(outcome),
            }
        }
        is_urgent = is_urgent || timeout(pause, hurry.notified()).await.is_ok();
        if is_urgent && !over.is_zero() {
            // Those that were looked at first may be the ones that something happened to: a new round begins.
            return Ok(Findings { is_cut: true, ..findings });
        }
    }
    let strays = caller.shards().map(|shard| remove_strays(caller, gateway, shard));
    let strays: Vec<_> = stream::iter(strays).buffer_unordered(SHARDS_MAX).collect().await;
    for count in strays {
        findings.strays += count?;
    }
    Ok(findings)
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
        for outcome in outcomes {
            match outcome {
                Ok(()) => strays += 1,
                Err(error) if error.retry_after_ms().is_some() => return Err(error),
                // One damaged seat must not keep the node from the rest of its round.
                Err(error) => tracing::error!(%error, "a roster entry without a session cannot be removed"),
            }
        }
        if page.cursor.is_empty() {
            return Ok(strays);
        }
        cursor = page.cursor;
    }
}

async fn roster_page(caller: &Caller, shard: Shard, cursor: String) -> Result<Page, CallError> {
    let arguments = Arguments::new().with(Argument::Cursor, cursor).with(Argument::PageMax, PAGE_MAX.to_string());
    let effects = caller.run_on("sessions", shard, None, arguments).await?.effects;
    read("sessions", answer("sessions", &effects)?)
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
