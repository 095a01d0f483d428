//! Asks the directory where newcomers are to go. Each place is booked there and counts at once.

use std::time::Duration;

use serde::Deserialize;

use crate::fleet::answer::read;
use crate::metric::Metric;
use crate::script::{Argument, Arguments, CallError, Caller};

/// What newcomers need.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// How many they are.
    pub count: usize,
    /// Zone whose nodes are asked first; may be empty.
    pub zone: &'a str,
    /// How long a place is kept for somebody who does not come.
    pub reserve: Duration,
}

/// Where newcomers go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// Addresses of nodes, one for each newcomer; fewer than were asked for where all nodes are full.
    pub addresses: Vec<String>,
    /// When to ask again for those who got none, in milliseconds.
    pub retry_after_ms: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    error: Option<String>,
    retry_after_ms: Option<u64>,
    address: String,
    nodes: Option<Vec<Share>>,
}

#[derive(Deserialize)]
struct Share {
    address: String,
    count: usize,
}

/// Milliseconds after which a place may have become free, where the script does not say.
const RETRY_AFTER_MS: u64 = 1_000;

/// Books places on the nodes with the lowest share of their capacity in use.
pub async fn assign(caller: &Caller, wish: Wish<'_>) -> Result<Assignment, CallError> {
    let arguments = Arguments::new()
        .with(Argument::Count, wish.count.to_string())
        .with(Argument::Zone, wish.zone)
        .with(Argument::ReserveMs, wish.reserve.as_millis().to_string());
    let answer: Answer = read("assign", caller.ask("assign", None, arguments).await?)?;
    let retry_after_ms = answer.retry_after_ms.unwrap_or(RETRY_AFTER_MS);
    let addresses = match (answer.error, answer.nodes) {
        (Some(_), _) => Vec::new(),
        (None, Some(nodes)) => {
            nodes.iter().flat_map(|node| std::iter::repeat_n(node.address.clone(), node.count)).collect()
        }
        // Version 1 names one node and books nothing.
        (None, None) => vec![answer.address; wish.count],
    };
    Metric::Assigned.counter_of("placed").increment(addresses.len() as u64);
    Metric::Assigned.counter_of("refused").increment(wish.count.saturating_sub(addresses.len()) as u64);
    Ok(Assignment { addresses, retry_after_ms })
}
