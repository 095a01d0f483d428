//! What values are in range and go together. Every rule is checked, so that one start shows all problems.

use figment::Figment;

use super::problem::{ConfigError, Problem, refuse};
use super::{Config, layer};

/// Longest time that can be asked for, in milliseconds: a year. Longer ones are typing errors, and in sums with the clock
/// they would leave what Lua prints exactly.
pub const MS_MAX: u64 = 31_536_000_000;
/// Largest weight; more would say nothing that a smaller pair of weights does not.
const WEIGHT_MAX: u64 = 10_000;
/// Entries of a trail beyond which it would cost more than the seat itself.
const TRAIL_MAX: u64 = 100;
/// Times that may be none at all.
const MAY_BE_NONE: [&str; 3] = ["node.drain_ms", "text.dedup_ms", "presence.grace_ms"];
/// Entries of a user's lists beyond which one script would hold up the others for long.
const LIST_MAX: u64 = 10_000;
/// Slots of a Redis Cluster: more shards could not lie apart.
const SLOTS: u64 = 16_384;
/// Bytes that precede a body.
const FRAME_HEADER_BYTES: usize = 4;

/// Refuses values out of range and combinations that cannot work.
pub fn check(config: &Config, layers: &Figment) -> Result<(), ConfigError> {
    let mut problems = durations(layers);
    problems.extend(ranges(config, layers));
    problems.extend(combinations(config, layers));
    problems.extend(routes(config, layers));
    if problems.is_empty() { Ok(()) } else { Err(ConfigError::Refused(problems)) }
}

/// Every key that ends in `_ms` is a time.
fn durations(layers: &Figment) -> Vec<Problem> {
    let template = layer::template();
    let keys = template.iter().flat_map(|(section, keys)| keys.keys().map(move |key| format!("{section}.{key}")));
    keys.filter(|key| key.ends_with("_ms"))
        .map(|key| (u64::from(!MAY_BE_NONE.contains(&key.as_str())), key))
        .filter(|(least, key)| layers.extract_inner::<u64>(key).map_or(true, |ms| !(*least..=MS_MAX).contains(&ms)))
        .map(|(least, key)| refuse(layers, &key, format!("allowed are {least} to {MS_MAX} milliseconds")))
        .collect()
}

fn ranges(config: &Config, layers: &Figment) -> Vec<Problem> {
    let gateway = &config.gateway;
    let large = u64::from(u32::MAX);
    let bounds = [
        ("gateway.frame_bytes_max", gateway.frame_bytes_max as u64, 2048, 65535),
        ("gateway.login_attempts_max", gateway.login_attempts_max.into(), 1, large),
        ("gateway.connections_max", gateway.connections_max as u64, 1, large),
        ("gateway.mailbox_frames_max", gateway.mailbox_frames_max as u64, 4, 65536),
        ("node.capacity", config.node.capacity, 1, large),
        ("node.weight", config.node.weight, 1, WEIGHT_MAX),
        ("redis.shards", config.redis.shards.into(), 0, SLOTS),
        ("redis.calls_max", config.redis.calls_max as u64, 1, 65536),
        ("seat.trail_max", config.seat.trail_max.into(), 0, TRAIL_MAX),
        ("friends.max", config.friends.max.into(), 1, LIST_MAX),
        ("friends.applies_max", config.friends.applies_max.into(), 1, LIST_MAX),
        ("friends.applies_per_day", config.friends.applies_per_day.into(), 0, large),
        ("text.bytes_max", config.text.bytes_max.into(), 1, 65535),
        ("inbox.count_max", config.inbox.count_max.into(), 1, LIST_MAX),
        ("inbox.bytes_max", config.inbox.bytes_max, 65536, large),
        ("presence.calls_max", config.presence.calls_max as u64, 1, 65536),
        ("events.max", config.events.max.into(), 0, large),
    ];
    bounds
        .into_iter()
        .filter(|(_, value, least, most)| !(least..=most).contains(&value))
        .map(|(key, _, least, most)| refuse(layers, key, format!("allowed are {least} to {most}")))
        .collect()
}

fn combinations(config: &Config, layers: &Figment) -> Vec<Problem> {
    let Config { node, gateway, heartbeat, admin, redis, .. } = config;
    let (frame_bytes, open) = (gateway.frame_bytes_max + FRAME_HEADER_BYTES, !admin.listen.ip().is_loopback());
    let same = gateway.listen == admin.listen && gateway.listen.port() != 0;
    let rules = [
        (
            open && admin.token.is_empty(),
            "admin.listen",
            "anyone who reaches it could kick anyone: allowed is a loopback address, or any together with admin.token"
                .to_owned(),
        ),
        (
            heartbeat.limit_ms < heartbeat.interval_ms.saturating_mul(2),
            "heartbeat.limit_ms",
            format!("allowed is at least twice heartbeat.interval_ms, which is {}", heartbeat.interval_ms),
        ),
        (
            node.lease_ms < node.beat_ms.saturating_mul(3),
            "node.lease_ms",
            format!("allowed is at least three times node.beat_ms, which is {}", node.beat_ms),
        ),
        (
            gateway.mailbox_bytes_max < frame_bytes,
            "gateway.mailbox_bytes_max",
            format!("allowed is at least {frame_bytes}, one whole frame of gateway.frame_bytes_max"),
        ),
        (same, "admin.listen", "gateway.listen has the same address and port".to_owned()),
        (
            !redis.tls_ca.as_os_str().is_empty() && !redis.url.has_tls(),
            "redis.tls_ca",
            "redis.url asks for no TLS: allowed is rediss://, rediss-sentinel:// or rediss-cluster:// with it"
                .to_owned(),
        ),
        (config.data.dir.as_os_str().is_empty(), "data.dir", "allowed is the path of a folder".to_owned()),
    ];
    rules.into_iter().filter(|(broken, _, _)| *broken).map(|(_, key, message)| refuse(layers, key, message)).collect()
}

fn routes(config: &Config, layers: &Figment) -> Vec<Problem> {
    let faults = config.routes.iter().filter_map(|(id, route)| Some((id, route.fault(id)?)));
    faults.map(|(id, fault)| refuse(layers, &format!("routes.{id}"), fault)).collect()
}

/// What is allowed but will surprise.
pub fn warnings(config: &Config) -> Vec<String> {
    let Config { node, gateway, .. } = config;
    let mut found = Vec::new();
    if node.address.is_empty() && gateway.listen.ip().is_unspecified() {
        found.push(format!(
            "gateway.listen is {} and node.address is empty, so tickets name an address that only this machine can dial; \
             set node.address to the host:port that clients use",
            gateway.listen
        ));
    }
    if node.capacity > gateway.connections_max as u64 {
        found.push(format!(
            "node.capacity is {} but gateway.connections_max only {}: newcomers are sent here who are then refused",
            node.capacity, gateway.connections_max
        ));
    }
    found
}
