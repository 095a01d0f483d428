//! How many sessions a node holds: the size of its range in every roster, exact at the moment when each was asked.

use crate::id::Name;
use crate::script::caller::answer;
use crate::script::{Argument, Arguments, CallError, Caller};

/// Sessions of one incarnation of a node, summed over the shards.
pub async fn count_sessions(caller: &Caller, node: &Name, incarnation: u64) -> Result<u64, CallError> {
    let mut sum = 0;
    for shard in caller.shards() {
        let arguments =
            Arguments::new().with(Argument::Node, node.as_str()).with(Argument::Incarnation, incarnation.to_string());
        let effects = caller.run_on("count", shard, None, arguments).await?.effects;
        sum += answer("count", &effects)?["count"].as_u64().unwrap_or_default();
    }
    Ok(sum)
}
