//! The passes of a migration over the target: clear, fill, check. Many keys are under way at a time, each with commands
//! of bounded size.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use futures_util::StreamExt;
use futures_util::stream::iter;
use sha2::{Digest, Sha256};

use super::plan::Plan;
use crate::cli::progress::Progress;
use crate::error::{Exit, Fatal};
use crate::script::retag::{Cell, Parcel};
use crate::script::transfer::{Transfer, TransferError, number};
use crate::script::{Key, Shard};

/// Keys that are written or read at the same time.
const KEYS_AT_ONCE: usize = 128;

/// What the check at the end found.
pub struct Proof {
    /// Digest of all keys, values and deadlines as the folder has them.
    pub source: String,
    /// The same of what was read back.
    pub target: String,
    /// Keys that expired between the look into the folder and the check.
    pub expired: u64,
    /// The first key that is not as it should be, and why.
    pub difference: Option<String>,
}

/// Removes every key of ours at the target.
pub async fn clear(transfer: &Transfer) -> Result<(), Fatal> {
    let mut names = Vec::new();
    transfer.list(|name| names.push(name.to_vec())).await.map_err(broken)?;
    // The record goes last: what is left of an interrupted removal still says what it is.
    let record = record_name();
    names.sort_by_key(|name| *name == record.as_bytes());
    let last = names.pop();
    let mut removals = iter(&names).map(|name| transfer.remove(name)).buffer_unordered(KEYS_AT_ONCE);
    while let Some(outcome) = removals.next().await {
        outcome.map_err(broken)?;
    }
    if let Some(last) = last {
        transfer.remove(&last).await.map_err(broken)?;
    }
    Ok(())
}

/// Writes every key of the plan.
pub async fn fill(transfer: &Transfer, plan: &Plan<'_>, progress: &mut Progress) -> Result<(), Fatal> {
    let puts = plan.parcels().map(|parcel| async move { transfer.put(&parcel).await });
    let mut writes = std::pin::pin!(iter(puts).buffer_unordered(KEYS_AT_ONCE));
    let (mut done, all) = (0, plan.parcels_count());
    while let Some(outcome) = writes.next().await {
        outcome.map_err(broken)?;
        done += 1;
        progress.say(|| format!("copied {done} of {all} keys"));
    }
    Ok(())
}

/// Reads every key back and holds it against the folder, then looks for keys that nobody sent.
pub async fn check(transfer: &Transfer, plan: &Plan<'_>, progress: &mut Progress) -> Result<Proof, Fatal> {
    let (mut source, mut target) = (Sha256::new(), Sha256::new());
    let (hasher, mut sent) = (RandomState::new(), HashSet::new());
    let mut proof = Proof { source: String::new(), target: String::new(), expired: 0, difference: None };
    let gets = plan.parcels().map(|parcel| read_back(transfer, parcel));
    let mut reads = std::pin::pin!(iter(gets).buffered(KEYS_AT_ONCE));
    let (mut done, all) = (0, plan.parcels_count());
    while let Some(outcome) = reads.next().await {
        let Reading { name, expected, found, difference, has_expired } = outcome.map_err(broken)?;
        sent.insert(hasher.hash_one(name.as_bytes()));
        done += 1;
        progress.say(|| format!("checked {done} of {all} keys"));
        if has_expired {
            proof.expired += 1;
            continue;
        }
        source.update(expected);
        target.update(found);
        proof.difference = proof.difference.or(difference);
    }
    let mut stray = None;
    let record = record_name();
    let is_sent = |name: &[u8]| sent.contains(&hasher.hash_one(name)) || name == record.as_bytes();
    let look = |name: &[u8]| {
        if stray.is_none() && !is_sent(name) {
            stray = Some(format!("{}: nobody sent it", String::from_utf8_lossy(name)));
        }
    };
    transfer.list(look).await.map_err(broken)?;
    proof.difference = proof.difference.or(stray);
    (proof.source, proof.target) = (hex(source), hex(target));
    Ok(proof)
}

fn record_name() -> String {
    Key::Meta.name(Shard(0), "")
}

/// What ends a migration in its middle.
pub fn broken(error: TransferError) -> Fatal {
    Fatal::new(Exit::Store, "the target does not answer as it should")
        .because(error)
        .hint("no node starts on what is there; run the same command again, it begins anew")
}

/// One key as it was sent and as it was found, each in a form that does not depend on the order of its fields.
struct Reading {
    name: String,
    expected: [u8; 32],
    found: [u8; 32],
    difference: Option<String>,
    /// It is gone, and its time was over.
    has_expired: bool,
}

async fn read_back(transfer: &Transfer, parcel: Parcel<'_>) -> Result<Reading, TransferError> {
    let Parcel { key, name, cells, deadline_ms } = parcel;
    let found = transfer.get(key, &name).await?;
    let has_expired = match (&found, deadline_ms) {
        (None, Some(deadline_ms)) => deadline_ms <= transfer.now_ms().await?,
        _ => false,
    };
    let expected = digest(&name, key.kind(), &cells, deadline_ms);
    let difference = match &found {
        None => Some("it is missing"),
        Some(found) if digest(&name, key.kind(), &found.cells, deadline_ms) != expected => Some("its value differs"),
        Some(found) if found.deadline_ms != deadline_ms => Some("its deadline differs"),
        Some(_) => None,
    };
    let difference = difference.map(|why| format!("{name}: {why}"));
    let found = found.map_or([0; 32], |found| digest(&name, key.kind(), &found.cells, found.deadline_ms));
    Ok(Reading { name, expected, found, difference, has_expired })
}

/// Every part with its length before it, so that no two values have the same bytes.
fn digest(name: &str, kind: &str, cells: &[Cell<'_>], deadline_ms: Option<u64>) -> [u8; 32] {
    let mut elements: Vec<(&[u8], Vec<u8>)> = match kind {
        "hash" => cells.chunks(2).map(|pair| (&*pair[0], pair[1].to_vec())).collect(),
        "zset" => cells.chunks(2).map(|pair| (&*pair[1], number(&pair[0]).to_be_bytes().to_vec())).collect(),
        _ => cells.iter().map(|item| (&**item, Vec::new())).collect(),
    };
    if kind != "list" {
        elements.sort_unstable();
    }
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    };
    add(name.as_bytes());
    add(&deadline_ms.unwrap_or_default().to_be_bytes());
    for (first, second) in elements {
        add(first);
        add(&second);
    }
    digest.finalize().into()
}

/// The first 128 bits, as hexadecimal digits.
fn hex(digest: Sha256) -> String {
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
