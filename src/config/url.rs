//! The address of the shared state: which kind of store it names, and how it is shown without its secrets.

use std::fmt;

use serde::de::{Deserialize, Deserializer};

use super::value::{MASK, parse, split_host_port};

const ALLOWED: &str = "\"embedded\", redis://[user:password@]host[:port][/db], \
    redis-sentinel://[user:password@]host[:port][/db]?sentinelServiceName=NAME[&node=host:port...], \
    redis-cluster://[user:password@]host[:port][?node=host:port...], each of them with rediss for TLS, \
    or redis+unix:///path/to/socket; / ? # and @ in a password are written as %2F %3F %23 and %40";

/// What may stand behind the question mark. The sentinels' own user and password are asked for by them, not by the stores.
const SERVICE: &str = "sentinelServiceName";
const SENTINEL_USER: &str = "sentinelUsername";
const SENTINEL_PASSWORD: &str = "sentinelPassword";
const NODE: &str = "node";

/// Where the shared state lives; a password in it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Embedded,
    Unix,
    Server,
    Sentinel,
    Cluster,
}

impl RedisUrl {
    /// Whether the store inside this process is meant.
    pub fn is_embedded(&self) -> bool {
        self.kind == Kind::Embedded
    }

    /// Whether the state is spread over the primaries of a Redis Cluster.
    pub fn is_cluster(&self) -> bool {
        self.kind == Kind::Cluster
    }

    /// Whether the connections are encrypted.
    pub fn has_tls(&self) -> bool {
        self.text.starts_with("rediss")
    }

    /// The URL with its password. Callers must not log it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    fn read(text: &str) -> Option<Self> {
        let kind = match text.split_once("://") {
            None => (text == "embedded").then_some(Kind::Embedded),
            Some(("redis+unix", path)) => {
                is_path(path.rsplit_once('@').map_or(path, |(_, path)| path)).then_some(Kind::Unix)
            }
            Some((scheme, rest)) => read_servers(scheme, rest),
        };
        kind.map(|kind| Self { text: text.to_owned(), kind })
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_url(&self.text))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl<'de> Deserialize<'de> for RedisUrl {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        parse(source, Self::read, ALLOWED)
    }
}

/// Absolute, because the working directory of a service is rarely what its operator thinks.
fn is_path(text: &str) -> bool {
    text.len() > 1 && text.starts_with('/')
}

/// `[userinfo@]host[:port][/db][?name=value&...]`, as far as the scheme allows it.
fn read_servers(scheme: &str, rest: &str) -> Option<Kind> {
    let kind = match scheme.strip_prefix("rediss").or_else(|| scheme.strip_prefix("redis"))? {
        "" => Kind::Server,
        "-sentinel" => Kind::Sentinel,
        "-cluster" => Kind::Cluster,
        _ => return None,
    };
    let (servers, query) = rest.split_once('?').map_or((rest, None), |(servers, query)| (servers, Some(query)));
    let (login, place) = servers.rsplit_once('@').unwrap_or(("", servers));
    let (authority, db) = place.split_once('/').map_or((place, None), |(authority, db)| (authority, Some(db)));
    let has_db = db.is_some_and(|db| !db.is_empty());
    let fits = !login.contains(['/', '#'])
        && is_authority(authority)
        && db.is_none_or(|db| db.bytes().all(|byte| byte.is_ascii_digit()))
        // A cluster has only the first database.
        && !(kind == Kind::Cluster && has_db)
        && query.map_or(kind != Kind::Sentinel, |query| is_query(kind, query));
    fits.then_some(kind)
}

/// `host[:port]`. An IPv6 host stands in brackets.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, port)) => (host, port),
        None => text.find(':').map_or((text, ""), |colon| text.split_at(colon)),
    };
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok());
    !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '#') && port_fits
}

/// A misspelt name would be ignored by the client, so each is looked at.
fn is_query(kind: Kind, query: &str) -> bool {
    let pairs: Vec<(&str, &str)> = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    let is_allowed = |(name, value): &(&str, &str)| match *name {
        NODE => kind != Kind::Server && split_host_port(value).is_some_and(|(host, _)| !host.contains(':')),
        SERVICE | SENTINEL_USER | SENTINEL_PASSWORD => kind == Kind::Sentinel && !value.is_empty(),
        _ => false,
    };
    let is_plain = !query.contains(|c: char| c.is_whitespace() || "@#?".contains(c));
    let is_named = kind != Kind::Sentinel || pairs.iter().any(|(name, _)| *name == SERVICE);
    is_plain && is_named && pairs.iter().all(is_allowed)
}

/// Hides the passwords of a URL, and the whole of a text that is none that we know.
pub fn mask_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return if text == "embedded" { text } else { MASK }.to_owned();
    };
    if RedisUrl::read(text).is_none() {
        return format!("{scheme}://{MASK}");
    }
    let (servers, query) = rest.split_once('?').unwrap_or((rest, ""));
    let shown = match servers.rsplit_once('@') {
        None => servers.to_owned(),
        Some((login, place)) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:{MASK}@{place}"),
            None => format!("{MASK}@{place}"),
        },
    };
    let query: Vec<String> = query.split('&').map(mask_pair).collect();
    let mark = if rest.contains('?') { "?" } else { "" };
    format!("{scheme}://{shown}{mark}{}", query.join("&"))
}

fn mask_pair(pair: &str) -> String {
    match pair.split_once('=') {
        Some((SENTINEL_PASSWORD, _)) => format!("{SENTINEL_PASSWORD}={MASK}"),
        _ => pair.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_other_forms_are_refused() {
        for good in [
            "embedded",
            "redis://h",
            "redis://h:6379",
            "redis://u:p@h:6379/3",
            "rediss://:p@[::1]:7",
            "redis+unix:///run/redis.sock",
            "redis-cluster://u:p@h:7000?node=h:7001&node=10.0.0.1:7002",
            "rediss-cluster://h",
            "redis-sentinel://u:p@h:26379/1?sentinelServiceName=main&node=h:26380&sentinelPassword=x",
        ] {
            assert!(RedisUrl::read(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "embeded",
            "http://h",
            "redis://",
            "redis://h:port",
            "redis://h:99999",
            "redis+unix://",
            "redis://h/x",
            "redis+unix://run/x",
            "redis://:a/b@h",
            "redis://h?node=h:1",
            "redis-clusters://h",
            "redis-cluster://h/1",
            "redis-cluster://h?nodes=h:1",
            "redis-cluster://h?node=h",
            "redis-sentinel://h",
            "redis-sentinel://h?sentinelServiceName=",
            "redis-sentinel://h?sentinelServiceName=main&node=[::1]:1",
        ] {
            assert!(RedisUrl::read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn passwords_are_masked_in_good_and_in_broken_urls() {
        for (url, shown) in [
            ("redis://u:hunter2@h:1", "redis://u:***@h:1"),
            ("redis://:hun@ter2@h:1", "redis://:***@h:1"),
            ("redis://hunter2@h:1", "redis://***@h:1"),
            ("reds://u:hunter2", "reds://***"),
            ("hunter2", "***"),
            ("redis://h:1", "redis://h:1"),
            ("redis-cluster://u:hunter2@h:1?node=h:2", "redis-cluster://u:***@h:1?node=h:2"),
            (
                "redis-sentinel://h?sentinelServiceName=m&sentinelPassword=hunter2&node=h:2",
                "redis-sentinel://h?sentinelServiceName=m&sentinelPassword=***&node=h:2",
            ),
            ("redis-sentinel://h?sentinelPassword=hun@ter2", "redis-sentinel://***"),
            ("redis-cluster://h?node=h:2&password=hunter2", "redis-cluster://***"),
        ] {
            assert_eq!(mask_url(url), shown);
        }
    }

    #[test]
    fn the_kind_of_the_store_is_told_by_the_scheme() {
        let is = |text| RedisUrl::read(text).map(|url| (url.is_embedded(), url.is_cluster(), url.has_tls()));
        assert_eq!(is("embedded"), Some((true, false, false)));
        assert_eq!(is("redis-cluster://h"), Some((false, true, false)));
        assert_eq!(is("rediss-cluster://h"), Some((false, true, true)));
        assert_eq!(is("rediss://h"), Some((false, false, true)));
    }
}
