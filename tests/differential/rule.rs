//! What may differ between our store, which follows 7.2 and later, and the 7.0 that it is compared with.

use crate::value::Value;

/// Replies in no particular order, in steps of one element.
const UNORDERED: &[&str] =
    &["KEYS", "SMEMBERS", "SINTER", "SUNION", "SDIFF", "SRANDMEMBER", "SPOP", "HRANDFIELD", "ZRANDMEMBER"];
/// Replies with a cursor before elements in no particular order.
const SCANS: &[&str] = &["SCAN", "SSCAN", "HSCAN", "ZSCAN"];
/// Replies that a clock moves while they are on their way.
const CLOCKS: &[&str] = &["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"];

/// A reply without what may differ.
pub fn normal(name: &[u8], reply: Value) -> Value {
    let is = |names: &[&str]| names.iter().any(|known| known.as_bytes() == name);
    let reply = shorten(reply);
    match reply {
        reply if reply.is_error() => reply,
        Value::List(mark, mut items) if is(UNORDERED) => {
            items.sort();
            Value::List(mark, items)
        }
        Value::List(mark, mut items) if is(SCANS) && items.len() == 2 => {
            if let Value::List(_, found) = &mut items[1] {
                found.sort();
            }
            Value::List(mark, items)
        }
        // The two are asked one after the other, so only what time stands still for is the same.
        Value::Line(line) if is(CLOCKS) && line.len() > 3 => Value::Line(b":later".to_vec()),
        // Any key may be named.
        Value::Bulk(_) if name == b"RANDOMKEY" => Value::Bulk(Vec::new()),
        // It tells how the stream is laid out in memory.
        Value::List(_, items) if name == b"XINFO" => {
            let layout: [&[u8]; 2] = [b"radix-tree-keys", b"radix-tree-nodes"];
            let pairs = items.chunks(2).filter(|pair| !layout.contains(&pair[0].bytes()));
            Value::List(b'*', pairs.flatten().cloned().collect())
        }
        reply => reply,
    }
}

/// What a command is refused for besides anything else that is wrong with it.
const COMMON: &[&str] = &["WRONGTYPE", "ERR syntax error", "ERR no such key", "ERR value is not", "ERR wrong number"];

/// Whether two replies are the same. Where a command has two mistakes, either may be named.
pub fn agree(ours: &Value, theirs: &Value) -> bool {
    let is_common = |value: &Value| COMMON.iter().any(|start| value.bytes().starts_with(start.as_bytes()));
    if let (Value::List(mark, items), Value::List(other, others)) = (ours, theirs) {
        let pairs = || items.iter().zip(others);
        return mark == other && items.len() == others.len() && pairs().all(|(ours, theirs)| agree(ours, theirs));
    }
    let holds = |value: &Value, text: &str| value.bytes().windows(text.len()).any(|part| part == text.as_bytes());
    // A script shows an error as text.
    let (named, other) = if holds(ours, "WRONGTYPE") { (ours, theirs) } else { (theirs, ours) };
    if holds(named, "string:WRONGTYPE") && holds(other, "string:ERR") {
        return true;
    }
    ours == theirs || ours.is_error() && theirs.is_error() && (is_common(ours) || is_common(theirs))
}

/// Puts numbers and texts in the form that both share. Whether a score of zero keeps its sign depends on the form in
/// which Redis holds the set.
fn shorten(reply: Value) -> Value {
    match reply {
        Value::Bulk(bytes) if bytes == b"-0" => Value::Bulk(b"0".to_vec()),
        Value::Line(line) if line == b",-0" => Value::Line(b",0".to_vec()),
        Value::Bulk(bytes) => Value::Bulk(without_addresses(shortest(&bytes).unwrap_or(bytes))),
        Value::Line(line) if line.starts_with(b",") => {
            let number = shortest(&line[1..]).unwrap_or(line[1..].to_vec());
            Value::Line([b",", &*number].concat())
        }
        Value::Line(line) => Value::Line(without_addresses(line)),
        Value::List(mark, items) => Value::List(mark, items.into_iter().map(shorten).collect()),
        Value::Null => Value::Null,
    }
}

/// 7.0 prints floats with 17 digits, 7.2 with as few as it takes; and 7.0 has `-nan`.
fn shortest(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text == "-nan" {
        return Some(b"nan".to_vec());
    }
    let is_number = text.len() > 14 && text.bytes().all(|byte| b"0123456789.-+e".contains(&byte));
    let is_float = text.contains(['.', 'e']) || text.ends_with("000");
    (is_number && is_float).then(|| text.parse::<f64>().ok().map(|number| format!("{number:?}").into_bytes()))?
}

/// 7.2 names the command in another way.
const OLD_XREAD: &str = "Unbalanced XREAD list";
const NEW_XREAD: &str = "Unbalanced 'xread' list";

/// Texts of tables and functions carry their addresses.
fn without_addresses(bytes: Vec<u8>) -> Vec<u8> {
    if let Some(at) = bytes.windows(OLD_XREAD.len()).position(|window| window == OLD_XREAD.as_bytes()) {
        return [&bytes[..at], NEW_XREAD.as_bytes(), &bytes[at + OLD_XREAD.len()..]].concat();
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let Some(at) = rest.windows(4).position(|window| window == b": 0x") {
        out.extend_from_slice(&rest[..at + 4]);
        let digits = rest[at + 4..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        rest = &rest[at + 4 + digits..];
    }
    out.extend_from_slice(rest);
    out
}
