//! What has to be true when nothing happens any more: the store, read with plain commands, against the live clients.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::history::Life;
use crate::support::Resp;

/// The stored state of the fleet, as plain commands show it.
#[derive(Debug, Default)]
pub struct Content {
    /// Seats that are held: uid, class, sid, node, incarnation.
    pub seats: BTreeSet<Row>,
    /// The rosters of all shards.
    pub roster: Vec<Row>,
    /// The directory's records by node.
    pub nodes: BTreeMap<String, Value>,
    /// Nodes with a lease that runs.
    pub leased: BTreeSet<String>,
}

/// A session as the store has it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Row {
    pub node: String,
    pub incarnation: String,
    pub uid: String,
    pub class: String,
    pub sid: String,
}

impl Content {
    /// Reads everything from every primary; an error where one is going.
    pub fn read(primaries: &mut [Resp]) -> std::io::Result<Self> {
        let mut content = Self::default();
        for store in primaries {
            for key in texts(&store.try_run(&["KEYS", "os:*"])?) {
                content.read_key(store, &key)?;
            }
        }
        Ok(content)
    }

    fn read_key(&mut self, store: &mut Resp, key: &str) -> std::io::Result<()> {
        let word = key.split(':').nth(2).unwrap_or_default();
        match word {
            "seat" => self.seats.extend(seats(key, &hash(&store.try_run(&["HGETALL", key])?))),
            "roster" => {
                self.roster.extend(texts(&store.try_run(&["ZRANGE", key, "0", "-1"])?).iter().map(|text| entry(text)))
            }
            "nodes" => {
                for (name, record) in hash(&store.try_run(&["HGETALL", key])?) {
                    self.nodes.insert(name, serde_json::from_str(&record)?);
                }
            }
            "leases" => {
                let time = texts(&store.try_run(&["TIME"])?);
                let now = format!("({}{:03}", time[0], time[1].parse::<u64>().unwrap_or_default() / 1000);
                self.leased.extend(texts(&store.try_run(&["ZRANGEBYSCORE", key, &now, "+inf"])?));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Holds the stored state against the clients that live; `names` are the names of the nodes by their position. `dead`
/// are those that stay away. Answers what is wrong.
pub fn check(content: &Content, live: &[&Life], names: &[String], dead: &[usize]) -> Vec<String> {
    let mut wrong = Vec::new();
    let clients: BTreeSet<(String, String, String)> = live
        .iter()
        .filter_map(|life| Some((life.uid.to_string(), life.session()?.sid.clone(), names[life.node].clone())))
        .collect();
    let held: BTreeSet<_> =
        content.seats.iter().map(|row| (row.uid.clone(), row.sid.clone(), row.node.clone())).collect();
    wrong.extend(clients.difference(&held).map(|client| format!("a client lives without its seat: {client:?}")));
    wrong.extend(held.difference(&clients).map(|seat| format!("a seat is held by nobody: {seat:?}")));
    let roster: BTreeSet<Row> = content.roster.iter().cloned().collect();
    wrong.extend(
        roster.difference(&content.seats).map(|row| format!("the roster has an entry without a seat: {row:?}")),
    );
    wrong.extend(content.seats.difference(&roster).map(|row| format!("a seat stands in no roster: {row:?}")));
    if roster.len() != content.roster.len() {
        wrong.push("the rosters have an entry twice".to_owned());
    }
    for (node, name) in names.iter().enumerate() {
        wrong.extend(check_node(content, name, dead.contains(&node)));
    }
    wrong
}

fn check_node(content: &Content, name: &str, is_dead: bool) -> Vec<String> {
    let rows: Vec<&Row> = content.roster.iter().filter(|row| row.node == name).collect();
    if is_dead {
        let mut wrong = Vec::new();
        if !rows.is_empty() {
            wrong.push(format!("{name} is dead, {} of its sessions are in the roster", rows.len()));
        }
        if content.leased.contains(name) {
            wrong.push(format!("{name} is dead and has a lease"));
        }
        return wrong;
    }
    let Some(record) = content.nodes.get(name) else { return vec![format!("the directory does not know {name}")] };
    let incarnation = record["incarnation"].as_u64().unwrap_or_default().to_string();
    let mut wrong = Vec::new();
    if record["count"].as_u64() != Some(rows.len() as u64) {
        wrong.push(format!(
            "the directory counts {} sessions of {name}, its roster has {}",
            record["count"],
            rows.len()
        ));
    }
    if let Some(row) = rows.iter().find(|row| row.incarnation != incarnation) {
        wrong.push(format!("{name} is incarnation {incarnation}, the roster has {row:?}"));
    }
    if !content.leased.contains(name) {
        wrong.push(format!("{name} lives without a lease"));
    }
    wrong
}

/// The held seats of one user.
fn seats(key: &str, fields: &BTreeMap<String, String>) -> Vec<Row> {
    let uid = key.splitn(4, ':').nth(3).unwrap_or_default();
    let classes = fields.keys().filter_map(|field| field.strip_suffix(":sid"));
    let held = classes.filter(|class| !fields.contains_key(&format!("{class}:end")));
    held.map(|class| {
        let field = |name: &str| fields.get(&format!("{class}:{name}")).cloned().unwrap_or_default();
        Row {
            node: field("node"),
            incarnation: field("incarnation"),
            uid: uid.to_owned(),
            class: class.to_owned(),
            sid: field("sid"),
        }
    })
    .collect()
}

/// An entry of a roster: node#incarnation|uid|class|sid.
fn entry(text: &str) -> Row {
    let mut parts = text.splitn(4, '|').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    let (node, uid, class, sid) = (next(), next(), next(), next());
    let (node, incarnation) = node.split_once('#').unwrap_or((&node, ""));
    Row { node: node.to_owned(), incarnation: incarnation.to_owned(), uid, class, sid }
}

fn texts(listing: &Value) -> Vec<String> {
    let items = listing.as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
}

fn hash(flat: &Value) -> BTreeMap<String, String> {
    texts(flat).chunks(2).filter_map(|pair| Some((pair.first()?.clone(), pair.get(1)?.clone()))).collect()
}
