//! Keys written into a Redis as they are and read back from it, for a store that moves; no script has a part in it.
//!
//! While a store is being filled its record names a schema that no binary knows, so that no node starts on half of it
//! and whoever comes back to it can tell what it is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::scan::Scanner;
use fred::types::{ClusterHash, CustomCommand, Value};
use futures_util::StreamExt;
use thiserror::Error as ThisError;

use crate::script::key::{Key, Shard};
use crate::script::redis::{Endpoint, StoreError};
use crate::script::retag::{Cell, PREFIX, Parcel};

/// What the record of a store says as its schema while the store is being filled.
pub const FILLING: &str = "migrating";
/// Most words of one command, and bytes past which no further word is added: no command holds up the others for long.
const WORDS_MAX: usize = 256;
const BYTES_MAX: usize = 64 * 1024;
/// Elements asked for at a time when a value is read.
const PAGE: usize = 200;
/// Keys asked for at a time when all names are listed.
const NAMES_PAGE: u32 = 1000;

/// Why the target did not do what it was asked.
#[derive(Debug, ThisError)]
#[error(transparent)]
pub struct TransferError(#[from] Error);

/// A connection that writes and reads whole values.
pub struct Transfer {
    client: Client,
}

/// What is at the target under a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub cells: Vec<Cell<'static>>,
    pub deadline_ms: Option<u64>,
}

impl Transfer {
    /// Connects to a store that keeps what it is given.
    pub async fn open(endpoint: &Endpoint) -> Result<Self, StoreError> {
        Ok(Self { client: endpoint.connect().await? })
    }

    /// The clock of the target, in milliseconds since 1970.
    pub async fn now_ms(&self) -> Result<u64, TransferError> {
        let time = numbers(&self.run("TIME", Vec::new()).await?);
        let [seconds, micros] = time[..] else { return Ok(0) };
        Ok(seconds * 1000 + micros / 1000)
    }

    /// Shows the names of all keys of ours to `see`, page by page; a name may come twice.
    pub async fn list(&self, mut see: impl FnMut(&[u8])) -> Result<(), TransferError> {
        let pattern = format!("{PREFIX}*");
        let mut pages = match self.client.is_clustered() {
            true => self.client.scan_cluster(pattern, Some(NAMES_PAGE), None).boxed(),
            false => self.client.scan(pattern, Some(NAMES_PAGE), None).boxed(),
        };
        while let Some(page) = pages.next().await {
            let mut page = page?;
            page.take_results().unwrap_or_default().iter().for_each(|name| see(name.as_bytes()));
            page.next();
        }
        Ok(())
    }

    /// Removes a key.
    pub async fn remove(&self, name: &[u8]) -> Result<(), TransferError> {
        self.run("UNLINK", vec![Bytes::copy_from_slice(name)]).await.map(drop)
    }

    /// The record of the store: schema, number of shards, identity. Empty where there is none.
    pub async fn record(&self) -> Result<BTreeMap<String, String>, TransferError> {
        let found = self.get(Key::Meta, &Key::Meta.name(Shard(0), "")).await?;
        let words: Vec<String> = found.iter().flat_map(|found| &found.cells).map(|cell| text(cell)).collect();
        Ok(words.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
    }

    /// Writes fields of the record of the store.
    pub async fn note<'a>(&self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), TransferError> {
        let words = fields.into_iter().flat_map(|(name, value)| [name, value]);
        let cells = words.map(|word| Cow::Borrowed(word.as_bytes())).collect();
        let name = Key::Meta.name(Shard(0), "");
        self.put(&Parcel { key: Key::Meta, name, cells, deadline_ms: None }).await
    }

    /// Names of the nodes whose lease runs.
    pub async fn living(&self, now_ms: u64) -> Result<Vec<String>, TransferError> {
        let leases = self.get(Key::Leases, &Key::Leases.name(Shard(0), "")).await?;
        let cells = leases.map(|found| found.cells).unwrap_or_default();
        // A member that begins with a bar is no node.
        let is_node = |pair: &&[Cell<'_>]| number(&pair[0]) > now_ms as f64 && !pair[1].starts_with(b"|");
        Ok(cells.chunks_exact(2).filter(is_node).map(|pair| text(&pair[1])).collect())
    }

    /// Adds a key and its deadline, in commands of bounded size.
    pub async fn put(&self, parcel: &Parcel<'_>) -> Result<(), TransferError> {
        let (command, words) = match parcel.key.kind() {
            "list" => ("RPUSH", 1),
            "zset" => ("ZADD", 2),
            "string" => ("SET", 1),
            _ => ("HSET", 2),
        };
        let name = Bytes::copy_from_slice(parcel.name.as_bytes());
        let (mut args, mut bytes) = (vec![name.clone()], 0);
        for element in parcel.cells.chunks(words) {
            bytes += element.iter().map(|cell| cell.len()).sum::<usize>();
            args.extend(element.iter().map(|cell| Bytes::copy_from_slice(cell)));
            if args.len() > WORDS_MAX || bytes > BYTES_MAX {
                self.run(command, std::mem::replace(&mut args, vec![name.clone()])).await?;
                bytes = 0;
            }
        }
        if args.len() > 1 {
            self.run(command, args).await?;
        }
        if let Some(deadline_ms) = parcel.deadline_ms {
            self.run("PEXPIREAT", vec![name, deadline_ms.to_string().into()]).await?;
        }
        Ok(())
    }

    /// Reads a key in pages; none where there is nothing. Fields of a hash come in the order of their names.
    pub async fn get(&self, key: Key, name: &str) -> Result<Option<Found>, TransferError> {
        let cells = match key.kind() {
            "hash" => self.fields(name).await?,
            "string" => {
                let word = self.run("GET", vec![Bytes::copy_from_slice(name.as_bytes())]).await?;
                flatten(word).into_iter().map(cell).collect()
            }
            kind => self.elements(kind, name).await?,
        };
        if cells.is_empty() {
            return Ok(None);
        }
        let deadline = self.run("PEXPIRETIME", vec![Bytes::copy_from_slice(name.as_bytes())]).await?;
        Ok(Some(Found { cells, deadline_ms: deadline.as_u64() }))
    }

    /// A scan may tell a field twice.
    async fn fields(&self, name: &str) -> Result<Vec<Cell<'static>>, TransferError> {
        let (mut fields, mut cursor) = (BTreeMap::new(), Bytes::from_static(b"0"));
        loop {
            let args = [name, &text(&cursor), "COUNT", &PAGE.to_string()].map(|word| Bytes::from(word.to_owned()));
            let mut page = flatten(self.run("HSCAN", args.into()).await?).into_iter();
            cursor = page.next().unwrap_or_default();
            while let (Some(field), Some(value)) = (page.next(), page.next()) {
                fields.insert(field, value);
            }
            if cursor == "0" || cursor.is_empty() {
                return Ok(fields.into_iter().flat_map(|(field, value)| [cell(field), cell(value)]).collect());
            }
        }
    }

    /// Items of a list, or scores with members.
    async fn elements(&self, kind: &str, name: &str) -> Result<Vec<Cell<'static>>, TransferError> {
        let mut cells = Vec::new();
        for page in 0.. {
            let (from, to) = (page * PAGE, (page + 1) * PAGE - 1);
            let args = [name, &from.to_string(), &to.to_string(), "WITHSCORES"];
            let (command, args) = if kind == "zset" { ("ZRANGE", &args[..]) } else { ("LRANGE", &args[..3]) };
            let args = args.iter().map(|word| Bytes::from((*word).to_owned())).collect();
            let mut words = flatten(self.run(command, args).await?);
            if kind == "zset" {
                words.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
            }
            if words.is_empty() {
                break;
            }
            cells.extend(words.into_iter().map(cell));
        }
        Ok(cells)
    }

    /// Runs a command on the node that has its first argument as a key.
    async fn run(&self, command: &'static str, args: Vec<Bytes>) -> Result<Value, TransferError> {
        Ok(self.client.custom(CustomCommand::new_static(command, ClusterHash::FirstKey, false), args).await?)
    }
}

fn cell(word: Bytes) -> Cell<'static> {
    Cow::Owned(word.into())
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

/// A score as a number: servers print the same one in more than one way.
pub fn number(score: &[u8]) -> f64 {
    std::str::from_utf8(score).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

fn numbers(value: &Value) -> Vec<u64> {
    flatten(value.clone()).iter().filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok()).collect()
}

/// The words of an answer, whatever lists they stand in.
fn flatten(value: Value) -> Vec<Bytes> {
    match value {
        Value::Array(values) => values.into_iter().flat_map(flatten).collect(),
        Value::Double(score) => vec![score.to_string().into()],
        other => other.into_bytes().into_iter().collect(),
    }
}
