//! A keyspace as the shortest list of commands that makes it again.

use std::io;
use std::time::{Duration, Instant};

use super::disk::DiskFile;
use super::frame::{write_batch, write_command};
use crate::embedded::keyspace::{Entry, Keyspace};
use crate::embedded::number;
use crate::embedded::stream::{Stream, StreamId};
use crate::embedded::value::Value;

/// Elements per command, as many as Redis writes.
const ELEMENTS: usize = 64;
/// Bytes per write.
const BATCH_BYTES: usize = 256 * 1024;
/// Time between two lines about the progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// How the commands are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In batches with their checksums.
    Checked,
    /// As a client would send them, for `redis-cli --pipe`.
    Plain,
}

/// Writes all keys to the end of a file; the bytes written. `go_on` is asked from time to time.
pub fn write(db: &Keyspace, file: &dyn DiskFile, form: Form, go_on: impl Fn() -> bool) -> io::Result<u64> {
    let (mut units, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut told = Instant::now();
    let mut flush = |units: &mut Vec<u8>| -> io::Result<()> {
        let written: &[u8] = match form {
            Form::Plain => units,
            Form::Checked => {
                batch.clear();
                write_batch(&mut batch, units);
                &batch
            }
        };
        file.append(written)?;
        bytes += written.len() as u64;
        units.clear();
        Ok(())
    };
    for (index, (key, entry)) in db.iter().enumerate() {
        write_entry(&mut units, key, entry);
        if units.len() < BATCH_BYTES {
            continue;
        }
        flush(&mut units)?;
        if !go_on() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the store is stopping"));
        }
        if form == Form::Checked && told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            let percent = 100 * index / db.len().max(1);
            tracing::info!(percent, keys = index, "the append-only file is being rewritten");
        }
    }
    if !units.is_empty() {
        flush(&mut units)?;
    }
    Ok(bytes)
}

fn write_entry(into: &mut Vec<u8>, key: &[u8], entry: &Entry) {
    match elements(&entry.value) {
        Ok(Elements { command, words, cells }) => write_elements(into, command.as_bytes(), key, cells, words),
        Err(stream) => write_stream(into, key, stream),
    }
    if entry.deadline_ms != 0 {
        write_command(into, &[b"PEXPIREAT", key, entry.deadline_ms.to_string().as_bytes()]);
    }
}

/// A word of an element.
pub type Cell<'a> = std::borrow::Cow<'a, [u8]>;

/// A value as the command that adds to it, and what it adds.
pub struct Elements<'a> {
    pub command: &'static str,
    /// Words that make up one element.
    pub words: usize,
    pub cells: Box<dyn Iterator<Item = Cell<'a>> + 'a>,
}

/// The elements of a value; a stream has none of one length.
pub fn elements(value: &Value) -> Result<Elements<'_>, &Stream> {
    let (command, words, cells): (_, _, Box<dyn Iterator<Item = Cell<'_>>>) = match value {
        Value::Text(text) => ("SET", 1, Box::new(std::iter::once(Cell::Borrowed(&**text)))),
        Value::List(list) => ("RPUSH", 1, Box::new(list.iter().map(Cell::Borrowed))),
        Value::Hash(hash) => {
            let cells = hash.iter().flat_map(|(field, value)| [Cell::Borrowed(field), Cell::Borrowed(value)]);
            ("HSET", 2, Box::new(cells))
        }
        Value::Set(set) => ("SADD", 1, Box::new(set.members().into_iter().map(Cell::Owned))),
        Value::Zset(zset) => {
            let score = |score| Cell::Owned(number::double(score).into_bytes());
            let cells = zset.iter().flat_map(move |member| [score(member.score()), Cell::Borrowed(member.name())]);
            ("ZADD", 2, Box::new(cells))
        }
        Value::Stream(stream) => return Err(stream),
    };
    Ok(Elements { command, words, cells })
}

/// Writes a collection with so many words per element.
fn write_elements<'a>(
    into: &mut Vec<u8>,
    command: &[u8],
    key: &[u8],
    mut cells: impl Iterator<Item = Cell<'a>>,
    words: usize,
) {
    loop {
        let chunk: Vec<Cell<'a>> = cells.by_ref().take(ELEMENTS * words).collect();
        if chunk.is_empty() {
            return;
        }
        let args: Vec<&[u8]> = [command, key].into_iter().chain(chunk.iter().map(|cell| &**cell)).collect();
        write_command(into, &args);
    }
}

/// Entries by their ids, then what a stream remembers beside them. An empty one is made by an entry that goes at once.
fn write_stream(into: &mut Vec<u8>, key: &[u8], stream: &Stream) {
    let last = stream.last_id.to_string();
    if stream.entries.is_empty() {
        // No entry may have the id 0-0, which a stream that never had one remembers as its last.
        let id = if stream.last_id == StreamId::MIN { "0-1" } else { &last };
        write_command(into, &[b"XADD", key, b"MAXLEN", b"0", id.as_bytes(), b"x", b"y"]);
    }
    for (id, entry) in &stream.entries {
        let id = id.to_string();
        let words = [b"XADD", key, id.as_bytes()].into_iter();
        let args: Vec<&[u8]> = words.chain(entry.iter().map(|(_, item)| item)).collect();
        write_command(into, &args);
    }
    let (added, deleted) = (stream.entries_added.min(i64::MAX as u64).to_string(), stream.max_deleted_id.to_string());
    write_command(
        into,
        &[b"XSETID", key, last.as_bytes(), b"ENTRIESADDED", added.as_bytes(), b"MAXDELETEDID", deleted.as_bytes()],
    );
}
