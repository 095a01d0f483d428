//! Routes: which script serves a message id, for whom, and how often.
//!
//! They are settings, so that a team adds a kind of message with one script and one line, and without Rust.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::value;

/// Ids that are served, or sent, without a script.
const RESERVED: [u16; 6] = [1005, 1006, 1021, 1023, 1024, 1101];
/// Largest rate and burst; more would limit nothing.
const RATE_MAX: u32 = 1_000_000;

/// Whose shard a script runs on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// That of the session's own user.
    Session,
    /// That of the user whom this field of the body names.
    Field(String),
}

/// How one kind of message is served. Its fields are explained in `config/default.toml`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Empty: the id is not served.
    pub script: String,
    /// 0: it is never answered.
    #[serde(default)]
    pub reply: u16,
    #[serde(default = "of_session", deserialize_with = "key_source")]
    pub key: KeySource,
    /// Field of the body that has to name the session's own user; empty: none.
    #[serde(default)]
    pub sender: String,
    #[serde(default = "yes")]
    pub login: bool,
    /// 0: no limit.
    #[serde(default)]
    pub per_second: u32,
    #[serde(default)]
    pub burst: u32,
    /// 0: as large as a frame may be.
    #[serde(default)]
    pub bytes_max: u16,
}

impl Route {
    /// What is wrong with it; none where all is well.
    pub(super) fn fault(&self, id: u16) -> Option<String> {
        let is_field = |field: &str| field.len() <= 64 && !field.chars().any(char::is_control);
        let key = match &self.key {
            KeySource::Session => "session",
            KeySource::Field(field) => field,
        };
        let faults = [
            (RESERVED.contains(&id), "this id is not for a route: it is served by itself, or sent by the server only"),
            (!value::is_script(&self.script), "allowed as script is the name of one, such as \"typing\", or \"\""),
            (RESERVED.contains(&self.reply), "allowed as reply is an id that the server does not use by itself"),
            (self.reply == id, "allowed as reply is an id other than that of the request"),
            (key.is_empty() || !is_field(key), "allowed as key is \"session\" or a field of the body"),
            (!is_field(&self.sender), "allowed as sender is a field of the body, or \"\""),
            (!self.login && !self.sender.is_empty(), "without a login nobody can be the sender: leave sender out"),
            (!self.login && self.key == KeySource::Session, "without a login the key has to be a field of the body"),
            (self.per_second > RATE_MAX || self.burst > RATE_MAX, "allowed are up to 1000000 requests per second"),
            (self.per_second > 0 && self.burst == 0, "burst says how many requests may come at once: at least 1"),
        ];
        faults.into_iter().find(|(is_broken, _)| *is_broken).map(|(_, fault)| fault.to_owned())
    }
}

fn of_session() -> KeySource {
    KeySource::Session
}

fn yes() -> bool {
    true
}

fn key_source<'de, D: Deserializer<'de>>(source: D) -> Result<KeySource, D::Error> {
    let text = String::deserialize(source)?;
    Ok(if text == "session" { KeySource::Session } else { KeySource::Field(text) })
}

/// Every route by its message id.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Routes(BTreeMap<u16, Route>);

impl Routes {
    /// Each id with its route, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &Route)> {
        self.0.iter().map(|(id, route)| (*id, route))
    }
}

impl<'de> Deserialize<'de> for Routes {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Routes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of routes by message id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Routes, A::Error> {
                let mut routes = BTreeMap::new();
                while let Some((id, route)) = map.next_entry::<String, Route>()? {
                    let number = id.parse().ok().filter(|number: &u16| *number > 0 && number.to_string() == id);
                    let number = number.ok_or_else(|| A::Error::custom("a message id from 1 to 65535 as the key"))?;
                    routes.insert(number, route);
                }
                Ok(Routes(routes))
            }
        }
        source.deserialize_map(Table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Route, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn a_route_needs_its_script_only() {
        let route = read(r#"{"script":"typing"}"#).expect("a route");
        assert_eq!((route.reply, &route.key, route.login), (0, &KeySource::Session, true));
        assert_eq!(route.fault(1201), None);
        assert!(read(r#"{"reply":7}"#).is_err());
        assert!(read(r#"{"script":"typing","shard":7}"#).is_err());
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (id, text) in [
            (1005, r#"{"script":"a"}"#),
            (1201, r#"{"script":"A b"}"#),
            (1201, r#"{"script":"a","reply":1201}"#),
            (1201, r#"{"script":"a","reply":1021}"#),
            (1201, r#"{"script":"a","key":""}"#),
            (1201, r#"{"script":"a","login":false}"#),
            (1201, r#"{"script":"a","login":false,"key":"touid","sender":"fromuid"}"#),
            (1201, r#"{"script":"a","per_second":2}"#),
        ] {
            assert!(read(text).expect("a route").fault(id).is_some(), "{text}");
        }
    }
}
