//! The keys: their values, their deadlines, who watches them, and what happened to them.
//!
//! Every change of a key passes through [`Keyspace::touch`]: it marks watchers, counts the change and notes the
//! keyspace event. An expired key is never seen: each access judges it by the time at which the command or script
//! began. Nothing here knows commands, replies or sockets.

use std::collections::{BTreeSet, HashMap, HashSet};

use ahash::RandomState;
use indexmap::IndexMap;

use super::aof::effects::Effects;
use super::fault::Fault;
use super::footprint::{self, block};
use super::value::{Kind, Value};

/// Classes of keyspace events, as the letters of `notify-keyspace-events`.
pub mod class {
    pub const GENERIC: u16 = 1;
    pub const STRING: u16 = 1 << 1;
    pub const LIST: u16 = 1 << 2;
    pub const SET: u16 = 1 << 3;
    pub const HASH: u16 = 1 << 4;
    pub const ZSET: u16 = 1 << 5;
    pub const EXPIRED: u16 = 1 << 6;
    pub const STREAM: u16 = 1 << 8;
    pub const NEW: u16 = 1 << 11;
    /// Publish to `__keyspace@0__:<key>`.
    pub const KEYSPACE: u16 = 1 << 12;
    /// Publish to `__keyevent@0__:<event>`.
    pub const KEYEVENT: u16 = 1 << 13;
}

/// A value with its deadline.
#[derive(Clone, Debug)]
pub struct Entry {
    pub value: Value,
    /// Milliseconds since the epoch; 0 for a key that does not expire.
    pub deadline_ms: u64,
}

/// An entry of the table: its hash, the key, the value, the deadline.
const SLOT_BYTES: usize = 24 + size_of::<Entry>();
/// What a deadline takes in a tree whose nodes are about half full.
const DEADLINE_BYTES: usize = 2 * size_of::<(u64, u64)>();

/// Bytes that a key takes beside its place in the table.
fn cost(key: &[u8], entry: &Entry) -> usize {
    block(key.len()) + entry.value.footprint()
}

/// Something that happened to a key.
#[derive(Debug)]
pub struct Event {
    pub name: &'static str,
    pub key: Box<[u8]>,
}

/// All keys of the store.
#[derive(Default)]
pub struct Keyspace {
    map: IndexMap<Box<[u8]>, Entry, RandomState>,
    /// Deadline and key hash of every key that expires. Two keys of one hash only make the later one wait for an access.
    deadlines: BTreeSet<(u64, u64)>,
    /// Bytes that keys and values take, and the value that was handed out for changes, with what it counted before.
    content: usize,
    lent: Option<(usize, usize)>,
    /// The running command has begun to change keys. Whoever runs it says when it has ended; if it never does, nobody
    /// knows what the keys hold.
    pub changing: bool,
    /// The time by which keys are judged, in milliseconds since the epoch; set when a command or script begins.
    pub now_ms: u64,
    /// What the running request changed, for the append-only file.
    pub effects: Effects,
    /// Changes since the start, expired keys not counted.
    pub dirty: u64,
    /// Keys that expired since the start.
    pub expired: u64,
    /// Enabled classes of events.
    pub notify: u16,
    /// Events not yet published.
    pub events: Vec<Event>,
    watched: HashMap<Box<[u8]>, Vec<u64>, RandomState>,
    spoiled: HashSet<u64>,
}

/// A copy of all keys at one moment.
#[derive(Clone)]
pub struct Snapshot {
    map: IndexMap<Box<[u8]>, Entry, RandomState>,
    deadlines: BTreeSet<(u64, u64)>,
}

impl Keyspace {
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Keys that have a deadline.
    pub fn expiring(&self) -> usize {
        self.deadlines.len()
    }

    /// Bytes of memory that all keys take.
    pub fn bytes(&self) -> usize {
        let content = match self.lent {
            Some((index, before)) => self.content + self.map[index].value.footprint() - before,
            None => self.content,
        };
        content + footprint::table(self.map.capacity(), SLOT_BYTES) + DEADLINE_BYTES * self.deadlines.len()
    }

    /// Bytes of memory that one key takes.
    pub fn bytes_of(&mut self, key: &[u8]) -> Option<usize> {
        self.find(key).map(|entry| cost(key, entry) + SLOT_BYTES)
    }

    /// Hands out a value for changes. It is counted anew before another one is, or before places change.
    fn lend(&mut self, index: usize) -> &mut Value {
        self.changing = true;
        self.settle();
        let value = &mut self.map[index].value;
        self.lent = Some((index, value.footprint()));
        value
    }

    fn settle(&mut self) {
        if let Some((index, before)) = self.lent.take() {
            self.content = self.content + self.map[index].value.footprint() - before;
        }
    }

    fn insert(&mut self, key: &[u8], value: Value) -> usize {
        self.changing = true;
        let entry = Entry { value, deadline_ms: 0 };
        self.content += cost(key, &entry);
        self.note(class::NEW, "new", key);
        self.map.insert_full(key.into(), entry).0
    }

    fn live(&mut self, key: &[u8]) -> Option<usize> {
        let (index, _, entry) = self.map.get_full(key)?;
        if entry.deadline_ms != 0 && self.now_ms > entry.deadline_ms {
            self.expire(index);
            return None;
        }
        Some(index)
    }

    /// The entry of a key that exists.
    pub fn find(&mut self, key: &[u8]) -> Option<&Entry> {
        let index = self.live(key)?;
        self.map.get_index(index).map(|(_, entry)| entry)
    }

    pub fn exists(&mut self, key: &[u8]) -> bool {
        self.live(key).is_some()
    }

    /// The value of a key as a certain type; an error when it is of another.
    pub fn get<K: Kind>(&mut self, key: &[u8]) -> Result<Option<&K>, Fault> {
        self.find(key).map(|entry| K::expect(&entry.value)).transpose()
    }

    pub fn get_mut<K: Kind>(&mut self, key: &[u8]) -> Result<Option<&mut K>, Fault> {
        let Some(index) = self.live(key) else {
            return Ok(None);
        };
        K::of_mut(self.lend(index)).map(Some).ok_or(Fault::WRONG_TYPE)
    }

    /// The value of a key as a certain type, made empty when there is none.
    pub fn make<K: Kind>(&mut self, key: &[u8]) -> Result<&mut K, Fault> {
        let index = match self.live(key) {
            Some(index) => index,
            None => self.insert(key, K::default().wrap()),
        };
        K::of_mut(self.lend(index)).ok_or(Fault::WRONG_TYPE)
    }

    /// Puts a value in the place of whatever was there; the deadline stays only if asked for.
    pub fn put(&mut self, key: &[u8], value: Value, keep_deadline: bool) {
        match self.live(key) {
            Some(index) => {
                *self.lend(index) = value;
                if !keep_deadline {
                    self.set_deadline_at(index, 0);
                }
            }
            None => {
                self.insert(key, value);
            }
        }
    }

    /// Takes a key out; none when it does not exist.
    pub fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let index = self.live(key)?;
        self.remove_at(index).map(|(_, entry)| entry)
    }

    fn remove_at(&mut self, index: usize) -> Option<(Box<[u8]>, Entry)> {
        self.changing = true;
        self.settle();
        let deadline_ms = self.map[index].deadline_ms;
        self.set_deadline_at(index, 0);
        let (key, mut entry) = self.map.swap_remove_index(index)?;
        self.content -= cost(&key, &entry);
        if let Some(room) = footprint::smaller_room(self.map.len(), self.map.capacity()) {
            self.map.shrink_to(room);
        }
        // Who takes a key out may put it back elsewhere, with the deadline it had.
        entry.deadline_ms = deadline_ms;
        Some((key, entry))
    }

    /// Removes a key whose collection has become empty; true when it did.
    pub fn remove_if_empty(&mut self, key: &[u8]) -> bool {
        let empty = self.map.get(key).is_some_and(|entry| entry.value.is_empty());
        if empty {
            self.remove(key);
            self.note(class::GENERIC, "del", key);
        }
        empty
    }

    fn expire(&mut self, index: usize) {
        // A whole change of its own, also when a command that only reads meets the key.
        let changing = self.changing;
        if let Some((key, _)) = self.remove_at(index) {
            self.expired += 1;
            self.effects.expire(&key);
            self.spoil(&key);
            self.note(class::EXPIRED, "expired", &key);
        }
        self.changing = changing;
    }

    /// Sets or, with 0, removes the deadline of a key that exists.
    pub fn set_deadline(&mut self, key: &[u8], deadline_ms: u64) {
        if let Some(index) = self.live(key) {
            self.set_deadline_at(index, deadline_ms);
        }
    }

    fn set_deadline_at(&mut self, index: usize, deadline_ms: u64) {
        let old = self.map[index].deadline_ms;
        if old == deadline_ms {
            return;
        }
        self.changing = true;
        self.map[index].deadline_ms = deadline_ms;
        let hash = self.map.get_index(index).map(|(key, _)| self.map.hasher().hash_one(key)).unwrap_or_default();
        if old != 0 {
            self.deadlines.remove(&(old, hash));
        }
        if deadline_ms != 0 {
            self.deadlines.insert((deadline_ms, hash));
        }
    }

    /// The earliest deadline of any key.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Removes up to `limit` keys whose deadline has passed; true when there may be more.
    pub fn expire_due(&mut self, limit: usize) -> bool {
        use indexmap::map::raw_entry_v1::RawEntryApiV1;
        for _ in 0..limit {
            let Some(&(deadline, hash)) = self.deadlines.first() else {
                return false;
            };
            if self.now_ms <= deadline {
                return false;
            }
            let found = self.map.raw_entry_v1().index_from_hash(hash, |_| true);
            match found {
                Some(index) if self.map[index].deadline_ms == deadline => self.expire(index),
                _ => {
                    self.deadlines.pop_first();
                }
            }
        }
        true
    }

    /// Records a change of a key: the one place through which every effect on the keys passes.
    pub fn touch(&mut self, key: &[u8], class: u16, event: &'static str) {
        self.dirty += 1;
        self.spoil(key);
        self.note(class, event, key);
    }

    /// Marks those who watch a key.
    fn spoil(&mut self, key: &[u8]) {
        if !self.watched.is_empty()
            && let Some(watchers) = self.watched.get(key)
        {
            self.spoiled.extend(watchers);
        }
    }

    /// Notes an event without a change, when its class is enabled.
    pub fn note(&mut self, class: u16, name: &'static str, key: &[u8]) {
        if self.notify & class != 0 {
            self.events.push(Event { name, key: key.into() });
        }
    }

    /// Lets a client know of changes to a key until it unwatches.
    pub fn watch(&mut self, client: u64, key: &[u8]) {
        self.live(key);
        let watchers = self.watched.entry(key.into()).or_default();
        if !watchers.contains(&client) {
            watchers.push(client);
        }
    }

    /// Forgets what a client watches; true when one of the keys was changed.
    pub fn unwatch(&mut self, client: u64, keys: &[Box<[u8]>]) -> bool {
        for key in keys {
            // A watched key that has expired meanwhile counts as changed.
            self.live(key);
            if let Some(watchers) = self.watched.get_mut(key) {
                watchers.retain(|watcher| *watcher != client);
                if watchers.is_empty() {
                    self.watched.remove(key);
                }
            }
        }
        self.spoiled.remove(&client)
    }

    /// Removes all keys; the number removed.
    pub fn clear(&mut self) -> usize {
        self.changing = true;
        for (key, watchers) in &self.watched {
            if self.map.contains_key(key) {
                self.spoiled.extend(watchers);
            }
        }
        let count = self.map.len();
        self.map = IndexMap::default();
        (self.content, self.lent) = (0, None);
        self.deadlines.clear();
        self.dirty += count as u64;
        count
    }

    /// A key and entry by position, for scans and random picks; expired ones included.
    pub fn at(&self, index: usize) -> Option<(&[u8], &Entry)> {
        self.map.get_index(index).map(|(key, entry)| (&**key, entry))
    }

    /// Keys with entries that have not expired.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        let now = self.now_ms;
        let live = move |entry: &Entry| entry.deadline_ms == 0 || now <= entry.deadline_ms;
        self.map.iter().filter(move |(_, entry)| live(entry)).map(|(key, entry)| (&**key, entry))
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot { map: self.map.clone(), deadlines: self.deadlines.clone() }
    }

    /// Puts the keys back to what they were.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.map = snapshot.map.clone();
        self.deadlines = snapshot.deadlines.clone();
        self.lent = None;
        self.content = self.map.iter().map(|(key, entry)| cost(key, entry)).sum();
        self.events.clear();
    }

    /// As [`Keyspace::bytes`], counted element by element.
    #[cfg(test)]
    pub fn recount(&self) -> usize {
        let content: usize = self.map.iter().map(|(key, entry)| block(key.len()) + entry.value.recount()).sum();
        content + footprint::table(self.map.capacity(), SLOT_BYTES) + DEADLINE_BYTES * self.deadlines.len()
    }
}
