//! Commands by the table of their shapes, on so few keys that they meet each other's types.

use crate::dice::Dice;
use crate::grammar;

/// The shapes. Names in lower case stand for arguments, see [`argument`].
const SHAPES: &[&str] = &[
    // Keys.
    "DEL {k}",
    "UNLINK {k}",
    "EXISTS {k}",
    "TOUCH {k}",
    "TYPE k",
    "RENAME k k",
    "RENAMENX k k",
    "COPY k k [REPLACE]",
    "KEYS pat",
    "SCAN 0 COUNT 1000 [MATCH pat] [TYPE type]",
    "RANDOMKEY",
    "EXPIRE k ttl [NX|XX|GT|LT]",
    "PEXPIRE k ttlms [NX|XX|GT|LT]",
    "EXPIREAT k at [NX|XX|GT|LT]",
    "PEXPIREAT k atms [NX|XX|GT|LT]",
    "TTL k",
    "PTTL k",
    "EXPIRETIME k",
    "PEXPIRETIME k",
    "PERSIST k",
    // Strings.
    "GET k",
    "SET k v",
    "SET k v [NX|XX] [GET] [EX ttl|PX ttlms|EXAT at|PXAT atms|KEEPTTL]",
    "SETNX k v",
    "SETEX k ttl v",
    "PSETEX k ttlms v",
    "GETSET k v",
    "GETDEL k",
    "GETEX k [EX ttl|PX ttlms|EXAT at|PXAT atms|PERSIST]",
    "MGET {k}",
    "MSET {k v}",
    "MSETNX {k v}",
    "INCR k",
    "DECR k",
    "INCRBY k n",
    "DECRBY k n",
    "INCRBYFLOAT k fl",
    "APPEND k v",
    "STRLEN k",
    "GETRANGE k x x",
    "SUBSTR k x x",
    "SETRANGE k off v",
    // Hashes.
    "HSET k {f v}",
    "HSETNX k f v",
    "HGET k f",
    "HMGET k {f}",
    "HMSET k {f v}",
    "HGETALL k",
    "HDEL k {f}",
    "HEXISTS k f",
    "HINCRBY k f n",
    "HINCRBYFLOAT k f fl",
    "HKEYS k",
    "HVALS k",
    "HLEN k",
    "HSTRLEN k f",
    "HSCAN k 0 COUNT 1000 [MATCH pat]",
    "HRANDFIELD k 100 [WITHVALUES]",
    "HRANDFIELD k 0",
    // Lists.
    "(LPUSH|RPUSH|LPUSHX|RPUSHX) k {v}",
    "LPOP k [x]",
    "RPOP k [x]",
    "LLEN k",
    "LRANGE k x x",
    "LINDEX k x",
    "LSET k x v",
    "LINSERT k (BEFORE|AFTER) v v",
    "LREM k x v",
    "LTRIM k x x",
    "LMOVE k k (LEFT|RIGHT) (LEFT|RIGHT)",
    "RPOPLPUSH k k",
    "LPOS k v [RANK x] [COUNT x] [MAXLEN x]",
    "LMPOP 2 k k (LEFT|RIGHT) [COUNT x]",
    // Sets.
    "SADD k {m}",
    "SREM k {m}",
    "SMEMBERS k",
    "SISMEMBER k m",
    "SMISMEMBER k {m}",
    "SCARD k",
    "SPOP k 100",
    "SPOP k 0",
    "SRANDMEMBER k 100",
    "SRANDMEMBER k 0",
    "SMOVE k k m",
    "(SINTER|SUNION|SDIFF) {k}",
    "(SINTERSTORE|SUNIONSTORE|SDIFFSTORE) k {k}",
    "SINTERCARD 2 k k [LIMIT x]",
    "SSCAN k 0 COUNT 1000 [MATCH pat]",
    // Sorted sets.
    "ZADD k {s m}",
    "ZADD k [NX|XX] [GT|LT] [CH] [INCR] s m",
    "ZADD k [XX] [CH] {s m}",
    "ZREM k {m}",
    "ZSCORE k m",
    "ZMSCORE k {m}",
    "ZINCRBY k s m",
    "ZCARD k",
    "ZCOUNT k b b",
    "ZLEXCOUNT LEX lex lex",
    "ZRANGE k x x [REV] [WITHSCORES]",
    "ZRANGE k b b BYSCORE [REV] [LIMIT x x] [WITHSCORES]",
    "ZRANGE LEX lex lex BYLEX [REV] [LIMIT x x]",
    "ZREVRANGE k x x [WITHSCORES]",
    "(ZRANGEBYSCORE|ZREVRANGEBYSCORE) k b b [WITHSCORES] [LIMIT x x]",
    "(ZRANGEBYLEX|ZREVRANGEBYLEX) LEX lex lex [LIMIT x x]",
    "(ZRANK|ZREVRANK) k m",
    "ZREMRANGEBYSCORE k b b",
    "ZREMRANGEBYRANK k x x",
    "ZREMRANGEBYLEX LEX lex lex",
    "(ZPOPMIN|ZPOPMAX) k [x]",
    "ZMPOP 2 k k (MIN|MAX) [COUNT x]",
    "ZRANDMEMBER k 100 [WITHSCORES]",
    "ZSCAN k 0 COUNT 1000 [MATCH pat]",
    "(ZUNIONSTORE|ZINTERSTORE) k 2 k k [WEIGHTS w w] [AGGREGATE (SUM|MIN|MAX)]",
    "ZDIFFSTORE k 2 k k",
    "(ZUNION|ZINTER) 2 k k [WEIGHTS w w] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]",
    "ZDIFF 2 k k [WITHSCORES]",
    "ZINTERCARD 2 k k [LIMIT x]",
    "ZRANGESTORE k k x x [REV]",
    "ZRANGESTORE k k b b BYSCORE [REV] [LIMIT x x]",
    "ZRANGESTORE k LEX lex lex BYLEX [REV] [LIMIT x x]",
    // Ranges by name are defined only where all scores are equal, so they have a key of their own.
    "ZADD LEX {0 m}",
    "ZADD LEX {0 m}",
    "ZREM LEX m",
    // Streams.
    "XADD k [NOMKSTREAM] [MAXLEN [=] x|MINID [=] id] id {f v}",
    "XADD k id f v",
    "XLEN k",
    "XRANGE k rid rid [COUNT x]",
    "XREVRANGE k rid rid [COUNT x]",
    "XDEL k {id}",
    "XTRIM k MAXLEN [=] x",
    "XTRIM k MINID [=] id",
    "XREAD [COUNT x] STREAMS k id",
    "XREAD STREAMS k k id $",
    "XSETID k id",
    "XINFO STREAM k",
    // Other things that only answer.
    "ECHO v",
    "PING [v]",
    "PUBLISH v v",
    "FLUSHDB",
];

/// What only a connection can do.
const CONNECTION: &[&str] = &["MULTI", "MULTI", "EXEC", "EXEC", "EXEC", "DISCARD", "WATCH {k}", "UNWATCH", "SELECT x"];

const KEYS: &[&str] = &["a", "b", "c", "d", "{e}"];
const VALUES: &[&str] = &[
    "",
    "0",
    "1",
    "-1",
    "10",
    "3.5",
    "-0",
    "2.5",
    "abc",
    "x",
    "y",
    "hello world",
    "9223372036854775807",
    "nan",
    "inf",
    " 1",
    "01",
    "a\0b\r\n",
    "\u{e9}",
];
const MEMBERS: &[&str] = &["a", "b", "c", "aa", "ab", "1", "2", "-3", "", "z", "abc", "9223372036854775807", "1.5"];
const INTEGERS: &[&str] = &["0", "1", "-1", "2", "3", "-2", "-3", "5", "100", "-100"];
const AMOUNTS: &[&str] =
    &["1", "-1", "5", "0", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1.5", "x"];
const FLOATS: &[&str] = &["1", "-1.5", "0.1", "0.25", "3e2", "5e-1", "inf", "-inf", "nan", "x", " 1"];
const SCORES: &[&str] =
    &["0", "1", "-1", "2", "1.5", "0.25", "-2.5", "1e3", "inf", "-inf", "+inf", "nan", "x", "3", "-0"];
const BOUNDS: &[&str] = &["-inf", "+inf", "inf", "0", "1", "(1", "2", "(2", "-1", "1.5", "(", "x", "(inf", "3"];
const LEX: &[&str] = &["-", "+", "[a", "(a", "[b", "(b", "[abc", "(c", "[", "(", "a", "", "[z"];
const IDS: &[&str] = &["1-1", "1-2", "2-0", "2-1", "3", "5-5", "0-0", "0", "7-*", "x", "9-", "18446744073709551615-1"];
const RANGE_IDS: &[&str] = &["-", "+", "1", "(1-1", "2-1", "(2", "5-5", "3-0", "x", "(-"];
const PATTERNS: &[&str] = &["*", "a*", "?", "[a-c]", "[^a]", "\\a", "*b*", "", "[", "{*}", "nope", "[a-", "a\\"];
const TYPES: &[&str] = &["string", "hash", "list", "set", "zset", "stream", "x"];
const TIMES: &[&str] = &["1000", "2000", "5000", "0", "-5", "x", "9223372036854775807"];
const TIMES_MS: &[&str] = &["1000000", "2000000", "0", "-5", "x", "9223372036854775807"];
const MOMENTS: &[&str] = &["5000000000", "6000000000", "1", "0", "-1", "9223372036854775807", "x"];
const MOMENTS_MS: &[&str] = &["5000000000000", "6000000000000", "1", "0", "x"];
const OFFSETS: &[&str] = &["0", "1", "5", "-1", "536870912"];
const WEIGHTS: &[&str] = &["1", "2", "0.5", "-1", "inf", "x", "0"];

fn argument(dice: &mut Dice, name: &str) -> Vec<u8> {
    let from = match name {
        "k" => KEYS,
        "v" => VALUES,
        "f" | "m" => MEMBERS,
        "x" => INTEGERS,
        "n" => AMOUNTS,
        "fl" => FLOATS,
        "s" => SCORES,
        "b" => BOUNDS,
        "lex" => LEX,
        "id" => IDS,
        "rid" => RANGE_IDS,
        "pat" => PATTERNS,
        "type" => TYPES,
        "ttl" => TIMES,
        "ttlms" => TIMES_MS,
        "at" => MOMENTS,
        "atms" => MOMENTS_MS,
        "off" => OFFSETS,
        "w" => WEIGHTS,
        literal => return literal.as_bytes().to_vec(),
    };
    // The first half of a list holds what is mostly valid.
    let bound = if dice.chance(60) { from.len().div_ceil(2) } else { from.len() };
    dice.pick(&from[..bound]).expect("no list of arguments is empty").as_bytes().to_vec()
}

/// What picks at random with a word less, sets a time of a moment with another word, takes a word more since 7.2,
/// or has a cursor that means something to its own server only.
const DELICATE: &[&str] = &[
    "SPOP",
    "SRANDMEMBER",
    "HRANDFIELD",
    "ZRANDMEMBER",
    "PEXPIRE",
    "EXPIRE",
    "PSETEX",
    "SETEX",
    "GETEX",
    "SET",
    "ZRANK",
    "ZREVRANK",
    "SCAN",
    "SSCAN",
    "HSCAN",
    "ZSCAN",
];

/// A command that works on keys only, without a mistake in its shape.
pub fn sound(dice: &mut Dice) -> Vec<Vec<u8>> {
    let shape = dice.pick(SHAPES).expect("there are shapes");
    grammar::expand(dice, shape, &mut argument)
}

/// A command that works on keys only.
pub fn plain(dice: &mut Dice) -> Vec<Vec<u8>> {
    let mut words = sound(dice);
    let is_delicate = DELICATE.iter().any(|name| name.as_bytes() == words[0]);
    let is_by_name = words.get(1).is_some_and(|key| key == b"LEX");
    if !is_delicate && !is_by_name && dice.chance(3) {
        spoil(dice, &mut words);
    }
    words
}

/// Any command.
pub fn command(dice: &mut Dice) -> Vec<Vec<u8>> {
    if dice.chance(5) {
        let shape = dice.pick(CONNECTION).expect("there are shapes");
        return grammar::expand(dice, shape, &mut argument);
    }
    plain(dice)
}

/// Makes a command wrong: a word too few, one too many, or another one.
fn spoil(dice: &mut Dice, words: &mut Vec<Vec<u8>>) {
    let at = dice.below(words.len() as u64) as usize;
    let other = argument(dice, "m");
    match dice.below(3) {
        0 if words.len() > 1 => drop(words.remove(at.max(1))),
        1 => words.insert(at + 1, other),
        _ if at > 0 => words[at] = other,
        _ => words.push(other),
    }
}
