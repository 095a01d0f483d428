//! Subscriptions: who listens to which channel or pattern.
//!
//! Delivery appends to the outbox of the receiver, so it is immediate and in order, also from inside a script.

use std::collections::{BTreeMap, HashMap};

use ahash::RandomState;
use indexmap::IndexSet;

use super::client::ClientId;
use super::glob;

type Listeners = IndexSet<ClientId, RandomState>;

/// The three name spaces of pub/sub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    Channel,
    Pattern,
    Shard,
}

/// Listeners by channel and by pattern.
#[derive(Debug, Default)]
pub struct PubSub {
    channels: HashMap<Vec<u8>, Listeners, RandomState>,
    /// Ordered, so that deliveries by several patterns come in one order.
    patterns: BTreeMap<Vec<u8>, Listeners>,
    shards: HashMap<Vec<u8>, Listeners, RandomState>,
}

impl PubSub {
    pub fn subscribe(&mut self, space: Space, name: &[u8], client: ClientId) {
        let listeners = match space {
            Space::Channel => self.channels.entry(name.to_vec()).or_default(),
            Space::Pattern => self.patterns.entry(name.to_vec()).or_default(),
            Space::Shard => self.shards.entry(name.to_vec()).or_default(),
        };
        listeners.insert(client);
    }

    pub fn unsubscribe(&mut self, space: Space, name: &[u8], client: ClientId) {
        let listeners = match space {
            Space::Channel => self.channels.get_mut(name),
            Space::Pattern => self.patterns.get_mut(name),
            Space::Shard => self.shards.get_mut(name),
        };
        let Some(listeners) = listeners else { return };
        listeners.shift_remove(&client);
        if listeners.is_empty() {
            match space {
                Space::Channel => drop(self.channels.remove(name)),
                Space::Pattern => drop(self.patterns.remove(name)),
                Space::Shard => drop(self.shards.remove(name)),
            }
        }
    }

    /// Who hears a message: listeners of the channel, then those of each matching pattern with that pattern.
    pub fn receivers(&self, channel: &[u8], shard: bool) -> Vec<(ClientId, Option<Vec<u8>>)> {
        let table = if shard { &self.shards } else { &self.channels };
        let mut found: Vec<_> = table.get(channel).into_iter().flatten().map(|client| (*client, None)).collect();
        if !shard {
            for (pattern, listeners) in &self.patterns {
                if glob::matches(pattern, channel) {
                    found.extend(listeners.iter().map(|client| (*client, Some(pattern.clone()))));
                }
            }
        }
        found
    }

    /// Channels with listeners, of those that match a pattern.
    pub fn names(&self, shard: bool, pattern: Option<&[u8]>) -> Vec<&[u8]> {
        let table = if shard { &self.shards } else { &self.channels };
        let matching = |name: &&[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name));
        table.keys().map(Vec::as_slice).filter(matching).collect()
    }

    pub fn count(&self, shard: bool, name: &[u8]) -> usize {
        let table = if shard { &self.shards } else { &self.channels };
        table.get(name).map_or(0, |listeners| listeners.len())
    }

    pub fn pattern_count(&self) -> usize {
        self.patterns.len()
    }
}
