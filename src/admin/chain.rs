//! Scripts that call others: each call of an answer is carried out here, some at a time, because no client waits for it.

use std::collections::VecDeque;

use futures_util::stream::iter;
use futures_util::{StreamExt, TryStreamExt};
use serde_json::Value;

use crate::id::Uid;
use crate::script::{Argument, Arguments, CallError, Caller, Effect, caller};

/// Calls of one page, or users of one request, that are under way at a time.
pub const CALLS_MAX: usize = 32;
/// Entries of one page of a script.
const PAGE_MAX: usize = 100;
/// Scripts that one call may lead to, itself included.
const CHAIN_MAX: usize = 8;

/// A script, on the shard of a user.
type Call = (String, Uid, Arguments<'static>);

/// Runs a script and all that it calls, and answers its reply. Where a call fails the others are still made that were under
/// way, and the error is answered: the scripts that are run this way may be run again.
pub async fn carry_out(caller: &Caller, script: &str, uid: &Uid, arguments: Arguments<'_>) -> Result<Value, CallError> {
    let effects = caller.run(script, Some(uid), arguments).await?.effects;
    let answer = caller::answer(script, &effects)?;
    let chains: Vec<_> = effects.into_iter().filter_map(call).map(|call| follow(caller, call)).collect();
    iter(chains).buffer_unordered(CALLS_MAX).try_for_each(|()| async { Ok(()) }).await?;
    Ok(answer)
}

/// What a listing asks for after `cursor`; empty at its start.
pub fn page<'a>(cursor: String) -> Arguments<'a> {
    Arguments::new().with(Argument::Cursor, cursor).with(Argument::PageMax, PAGE_MAX.to_string())
}

/// Makes a call, and those that come of it, in their order.
async fn follow(caller: &Caller, first: Call) -> Result<(), CallError> {
    let (mut todo, mut calls) = (VecDeque::from([first]), 0);
    while let Some((script, uid, arguments)) = todo.pop_front() {
        calls += 1;
        if calls > CHAIN_MAX {
            return Err(CallError::Script { at: script, message: format!("more than {CHAIN_MAX} calls of one call") });
        }
        let effects = caller.run(&script, Some(&uid), arguments).await?.effects;
        todo.extend(effects.into_iter().filter_map(call));
    }
    Ok(())
}

/// Frames for sessions are published by the scripts themselves, so nothing but calls is left to do.
fn call(effect: Effect) -> Option<Call> {
    match effect {
        Effect::Call { script, uid, arguments } => Some((script, uid, arguments)),
        _ => None,
    }
}
