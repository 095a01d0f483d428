//! Tells the store of sessions that ended here: in batches, pipelined, and repeated until it is confirmed.
//!
//! A session that ended must not hold its seat, and a login whose outcome is unknown must not take one later; both are
//! the same script call, repeated as long as there is no answer. Every call is a compare-and-remove by sid, so a
//! repetition can never touch a newer session.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;

use crate::reason::Reason;
use crate::script::{Argument, Arguments, CallError, Caller};
use crate::session::ending::{Ending, EndingQueue};

/// Endings taken from the queue at once.
const BATCH_MAX: usize = 256;
/// Pause before endings that had no answer are tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Works the queue off for as long as the process lives.
pub async fn work(caller: Arc<Caller>, endings: Arc<EndingQueue>) {
    loop {
        let batch = endings.take(BATCH_MAX).await;
        let unanswered = report(&caller, batch).await;
        let is_answered = unanswered.is_empty();
        if !is_answered {
            tracing::debug!(count = unanswered.len(), "endings without an answer are tried again");
            endings.put_back(unanswered);
        }
        // Only now, or whoever waits for the end of all endings would not see those that go round again.
        endings.finish();
        if !is_answered {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

/// Reports a batch and answers those that have to be tried again.
async fn report(caller: &Caller, batch: Vec<Ending>) -> Vec<Ending> {
    let calls = batch.into_iter().map(|ending| async move {
        let outcome = end(caller, &ending).await;
        is_open(&ending, outcome).then_some(ending)
    });
    stream::iter(calls).buffer_unordered(BATCH_MAX).filter_map(std::future::ready).collect().await
}

async fn end(caller: &Caller, ending: &Ending) -> Result<(), CallError> {
    let class = ending.class.as_ref().map(ToString::to_string).unwrap_or_default();
    let arguments = Arguments::new().with(Argument::Sid, ending.sid.to_string()).with(Argument::Class, class);
    let is_expired = ending.reason == Some(Reason::Expired) && ending.class.is_some();
    let (script, arguments) = match is_expired {
        true => ("expire", arguments.with(Argument::Reason, "expired")),
        false => ("logout", arguments),
    };
    caller.run(script, Some(&ending.uid), arguments).await.map(|_| ())
}

/// Whether an ending is still open. A script that fails will fail again: it is logged, and verify mends the rest.
fn is_open(ending: &Ending, outcome: Result<(), CallError>) -> bool {
    match outcome {
        Ok(()) => false,
        Err(CallError::Away { .. } | CallError::Lost { .. }) => true,
        Err(error) => {
            tracing::error!(uid = %ending.uid, sid = %ending.sid, %error, "an ended session cannot be reported");
            false
        }
    }
}
