//! Removes what older incarnations of this node left behind: pages of work from the roster, one call per session.

use futures_util::StreamExt;
use futures_util::stream;

use crate::script::caller::answer;
use crate::script::{Argument, Arguments, CallError, Caller, Effect, Shard};

/// Entries of one page, and so the longest that the script keeps Redis busy.
const PAGE_MAX: usize = 500;
/// Calls in flight at once.
const CALLS_MAX: usize = 64;

/// Ends every session that an older incarnation of this node left in the rosters. Answers how many.
pub async fn reap_older(caller: &Caller) -> Result<usize, CallError> {
    let mut reaped = 0;
    for shard in caller.shards() {
        let mut cursor = String::new();
        loop {
            let page = page(caller, shard, &cursor).await?;
            cursor = answer("reap", &page)?["cursor"].as_str().unwrap_or_default().to_owned();
            reaped += run_calls(caller, page).await?;
            if cursor.is_empty() {
                break;
            }
        }
    }
    Ok(reaped)
}

async fn page(caller: &Caller, shard: Shard, cursor: &str) -> Result<Vec<Effect>, CallError> {
    let arguments =
        Arguments::new().with(Argument::Cursor, cursor.to_owned()).with(Argument::PageMax, PAGE_MAX.to_string());
    Ok(caller.run_on("reap", shard, None, arguments).await?.effects)
}

/// Runs the calls of a page at once; all of them are idempotent, so the first failure may end the page.
async fn run_calls(caller: &Caller, page: Vec<Effect>) -> Result<usize, CallError> {
    let calls = page.into_iter().filter_map(|effect| match effect {
        Effect::Call { script, uid, arguments } => {
            Some(async move { caller.run(&script, Some(&uid), arguments).await })
        }
        _ => None,
    });
    let outcomes: Vec<_> = stream::iter(calls).buffer_unordered(CALLS_MAX).collect().await;
    let count = outcomes.len();
    outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(count)
}
