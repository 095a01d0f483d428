//! Work on many users that one script gives out in pages: its calls are run side by side, and what they answer is given
//! back to it where it asks for that.
//!
//! A page is a list of `call` effects and a `reply` with a cursor. Each call is idempotent, so a page that is run twice, or
//! by two nodes, does no harm; what a node that died left of one is given out again by the script.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::fleet::answer::read;
use crate::id::Uid;
use crate::script::caller::answer;
use crate::script::{Argument, Arguments, CallError, Caller, Effect};

/// Entries that are asked for at a time.
const PAGE_MAX: usize = 100;
/// Scripts that may call each other for one entry.
const CHAIN_MAX: usize = 8;
/// Pause between two pages, so that clients find their way in between.
const PAGE_PAUSE: Duration = Duration::from_millis(5);

/// What a script says beside its calls.
#[derive(Deserialize)]
struct Page {
    /// Empty on the last page.
    cursor: String,
    /// The script that is to have what the calls answered.
    gather: Option<String>,
}

/// What there was to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Done {
    pub pages: usize,
    pub calls: usize,
}

/// Runs the pages of a script for a user to their end, from the cursor of the arguments if they have one, with as many
/// calls at a time as there are `turns`. A call that fails in its script is logged and passed over.
///
/// # Errors
/// The store is away, or the script itself failed: the rest is left undone.
pub async fn run(
    caller: &Caller,
    turns: &Semaphore,
    script: &str,
    uid: &Uid,
    arguments: Arguments<'_>,
) -> Result<Done, CallError> {
    let mut done = Done::default();
    let mut cursor = arguments.get(Argument::Cursor).unwrap_or_default().to_owned();
    loop {
        let asked = arguments.clone().with(Argument::Cursor, cursor).with(Argument::PageMax, PAGE_MAX.to_string());
        let effects = caller.run(script, Some(uid), asked).await?.effects;
        let page: Page = read(script, answer(script, &effects)?)?;
        let replies = run_calls(caller, turns, effects).await?;
        done.pages += 1;
        done.calls += replies.len();
        if let Some(gather) = page.gather {
            let body = Value::Array(replies.into_iter().flatten().collect()).to_string();
            caller.run(&gather, Some(uid), arguments.clone().with(Argument::Body, body)).await?;
        }
        if page.cursor.is_empty() {
            return Ok(done);
        }
        cursor = page.cursor;
        tokio::time::sleep(PAGE_PAUSE).await;
    }
}

/// Runs the calls of a page; answers what each of them replied, if it did.
async fn run_calls(caller: &Caller, turns: &Semaphore, page: Vec<Effect>) -> Result<Vec<Option<Value>>, CallError> {
    let calls = page.into_iter().filter_map(|effect| match effect {
        Effect::Call { script, uid, arguments } => Some(run_chain(caller, turns, script, uid, arguments)),
        _ => None,
    });
    let outcomes: Vec<_> = stream::iter(calls).buffer_unordered(PAGE_MAX).collect().await;
    outcomes.into_iter().collect()
}

/// Runs a call, and those that it leads to, one after the other.
async fn run_chain(
    caller: &Caller,
    turns: &Semaphore,
    script: String,
    uid: Uid,
    arguments: Arguments<'static>,
) -> Result<Option<Value>, CallError> {
    let mut todo = vec![(script, uid, arguments)];
    let mut reply = None;
    for _ in 0..CHAIN_MAX {
        let Some((script, uid, arguments)) = todo.pop() else { break };
        let turn = turns.acquire().await.expect("the semaphore is never closed");
        let outcome = caller.run(&script, Some(&uid), arguments).await;
        drop(turn);
        let effects = match outcome {
            Ok(verdict) => verdict.effects,
            Err(error) if error.retry_after_ms().is_some() => return Err(error),
            Err(error) => {
                tracing::error!(%uid, script, %error, "an entry of a page cannot be worked on and is passed over");
                break;
            }
        };
        reply = reply.or_else(|| answer(&script, &effects).ok());
        todo.extend(effects.into_iter().rev().filter_map(|effect| match effect {
            Effect::Call { script, uid, arguments } => Some((script, uid, arguments)),
            _ => None,
        }));
    }
    if !todo.is_empty() {
        tracing::error!(
            calls = todo.len(),
            "an entry of a page leads to more than {CHAIN_MAX} calls, which are left out"
        );
    }
    Ok(reply)
}
