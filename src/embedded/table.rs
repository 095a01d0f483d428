//! The command table: the only place that says which commands exist.
//!
//! It drives dispatch, arity errors, COMMAND, COMMAND GETKEYS, and what scripts may do.

use std::collections::HashMap;
use std::sync::LazyLock;

use ahash::RandomState;

use super::command::{
    connection, docs, expiry, hash, introspection, key, lcs, list, pubsub, scan, script, server, set, set_algebra,
    slowlog, sorted_set, stream, string, transaction, zset_algebra, zset_range,
};
use super::spec::flag::{
    ADMIN, ALLOW_BUSY, DENYOOM, FAST, MAY_REPLICATE, NO_MULTI, NOSCRIPT, PUBSUB, READONLY, UNQUEUED, WHILE_SUBSCRIBED,
    WRITE,
};
use super::spec::{EngineCommand, Family, Handler, Keys, PlainCommand, Spec};

/// No keys.
const NONE: Keys = Keys::None;
/// The first argument is the key.
const ONE: Keys = Keys::Range(1, 1, 1);
/// The first two arguments are keys.
const TWO: Keys = Keys::Range(1, 2, 1);
/// All arguments are keys.
const ALL: Keys = Keys::Range(1, -1, 1);
/// The argument behind the subcommand is the key.
const SUB: Keys = Keys::Range(2, 2, 1);

const fn row(name: &'static str, arity: i32, flags: u16, keys: Keys, family: Family, run: PlainCommand) -> Spec {
    Spec { name, arity, flags, keys, family, handler: Handler::Plain(run) }
}

const fn container(name: &'static str, family: Family) -> Spec {
    Spec { name, arity: -2, flags: 0, keys: NONE, family, handler: Handler::Container(None) }
}

/// A container that does something without a subcommand, too.
const fn container_with(name: &'static str, family: Family, run: PlainCommand) -> Spec {
    Spec { name, arity: -1, flags: 0, keys: NONE, family, handler: Handler::Container(Some(run)) }
}

const fn engine(name: &'static str, arity: i32, flags: u16, keys: Keys, family: Family, run: EngineCommand) -> Spec {
    Spec { name, arity, flags, keys, family, handler: Handler::Engine(run) }
}

const W: u16 = WRITE;
const WM: u16 = WRITE | DENYOOM;
const R: u16 = READONLY;

/// All commands and subcommands.
#[rustfmt::skip]
pub static COMMANDS: &[Spec] = &[
    // Connection.
    row("auth", -2, NOSCRIPT | FAST | ALLOW_BUSY, NONE, Family::Connection, connection::auth),
    row("echo", 2, FAST, NONE, Family::Connection, connection::echo),
    row("hello", -1, NOSCRIPT | FAST | ALLOW_BUSY, NONE, Family::Connection, connection::hello),
    row("ping", -1, FAST | WHILE_SUBSCRIBED, NONE, Family::Connection, connection::ping),
    row("quit", -1, NOSCRIPT | FAST | ALLOW_BUSY | UNQUEUED | WHILE_SUBSCRIBED, NONE, Family::Connection, connection::quit),
    row("reset", 1, NOSCRIPT | FAST | ALLOW_BUSY | UNQUEUED | WHILE_SUBSCRIBED, NONE, Family::Connection, connection::reset),
    row("select", 2, FAST, NONE, Family::Connection, connection::select),
    container("client", Family::Connection),
    row("client|getname", 2, NOSCRIPT, NONE, Family::Connection, connection::client_getname),
    row("client|help", 2, 0, NONE, Family::Connection, introspection::help),
    row("client|id", 2, NOSCRIPT, NONE, Family::Connection, connection::client_id),
    row("client|info", 2, NOSCRIPT, NONE, Family::Connection, connection::client_info),
    row("client|kill", -3, NOSCRIPT | ADMIN, NONE, Family::Connection, connection::client_kill),
    row("client|list", -2, NOSCRIPT | ADMIN, NONE, Family::Connection, connection::client_list),
    row("client|reply", 3, NOSCRIPT, NONE, Family::Connection, connection::client_reply),
    row("client|setinfo", 4, NOSCRIPT, NONE, Family::Connection, connection::client_setinfo),
    row("client|setname", 3, NOSCRIPT, NONE, Family::Connection, connection::client_setname),
    // Keys.
    row("copy", -3, WM, TWO, Family::Generic, key::copy),
    row("del", -2, W, ALL, Family::Generic, key::del),
    row("exists", -2, R | FAST, ALL, Family::Generic, key::exists),
    row("expire", -3, W | FAST, ONE, Family::Generic, expiry::expire),
    row("expireat", -3, W | FAST, ONE, Family::Generic, expiry::expireat),
    row("expiretime", 2, R | FAST, ONE, Family::Generic, expiry::expiretime),
    row("keys", 2, R, NONE, Family::Generic, key::keys),
    container("object", Family::Generic),
    row("object|encoding", 3, R, SUB, Family::Generic, key::object_encoding),
    row("object|help", 2, 0, NONE, Family::Generic, introspection::help),
    row("object|refcount", 3, R, SUB, Family::Generic, key::object_refcount),
    row("persist", 2, W | FAST, ONE, Family::Generic, expiry::persist),
    row("pexpire", -3, W | FAST, ONE, Family::Generic, expiry::pexpire),
    row("pexpireat", -3, W | FAST, ONE, Family::Generic, expiry::pexpireat),
    row("pexpiretime", 2, R | FAST, ONE, Family::Generic, expiry::pexpiretime),
    row("pttl", 2, R | FAST, ONE, Family::Generic, expiry::pttl),
    row("randomkey", 1, R, NONE, Family::Generic, key::randomkey),
    row("rename", 3, W, TWO, Family::Generic, key::rename),
    row("renamenx", 3, W | FAST, TWO, Family::Generic, key::renamenx),
    row("scan", -2, R, NONE, Family::Generic, scan::scan),
    row("touch", -2, R | FAST, ALL, Family::Generic, key::exists),
    row("ttl", 2, R | FAST, ONE, Family::Generic, expiry::ttl),
    row("type", 2, R | FAST, ONE, Family::Generic, key::type_of),
    row("unlink", -2, W | FAST, ALL, Family::Generic, key::del),
    row("wait", 3, NOSCRIPT, NONE, Family::Generic, server::wait),
    // Strings.
    row("append", 3, WM | FAST, ONE, Family::String, string::append),
    row("decr", 2, WM | FAST, ONE, Family::String, string::decr),
    row("decrby", 3, WM | FAST, ONE, Family::String, string::decrby),
    row("get", 2, R | FAST, ONE, Family::String, string::get),
    row("getdel", 2, W | FAST, ONE, Family::String, string::getdel),
    row("getex", -2, W | FAST, ONE, Family::String, string::getex),
    row("getrange", 4, R, ONE, Family::String, string::getrange),
    row("getset", 3, WM | FAST, ONE, Family::String, string::getset),
    row("incr", 2, WM | FAST, ONE, Family::String, string::incr),
    row("incrby", 3, WM | FAST, ONE, Family::String, string::incrby),
    row("incrbyfloat", 3, WM | FAST, ONE, Family::String, string::incrbyfloat),
    row("lcs", -3, R, TWO, Family::String, lcs::lcs),
    row("mget", -2, R | FAST, ALL, Family::String, string::mget),
    row("mset", -3, WM, Keys::Range(1, -1, 2), Family::String, string::mset),
    row("msetnx", -3, WM, Keys::Range(1, -1, 2), Family::String, string::msetnx),
    row("psetex", 4, WM, ONE, Family::String, string::psetex),
    row("set", -3, WM, ONE, Family::String, string::set),
    row("setex", 4, WM, ONE, Family::String, string::setex),
    row("setnx", 3, WM | FAST, ONE, Family::String, string::setnx),
    row("setrange", 4, WM, ONE, Family::String, string::setrange),
    row("strlen", 2, R | FAST, ONE, Family::String, string::strlen),
    row("substr", 4, R, ONE, Family::String, string::getrange),
    // Hashes.
    row("hdel", -3, W | FAST, ONE, Family::Hash, hash::hdel),
    row("hexists", 3, R | FAST, ONE, Family::Hash, hash::hexists),
    row("hget", 3, R | FAST, ONE, Family::Hash, hash::hget),
    row("hgetall", 2, R, ONE, Family::Hash, hash::hgetall),
    row("hincrby", 4, WM | FAST, ONE, Family::Hash, hash::hincrby),
    row("hincrbyfloat", 4, WM | FAST, ONE, Family::Hash, hash::hincrbyfloat),
    row("hkeys", 2, R, ONE, Family::Hash, hash::hkeys),
    row("hlen", 2, R | FAST, ONE, Family::Hash, hash::hlen),
    row("hmget", -3, R | FAST, ONE, Family::Hash, hash::hmget),
    row("hmset", -4, WM | FAST, ONE, Family::Hash, hash::hmset),
    row("hrandfield", -2, R, ONE, Family::Hash, hash::hrandfield),
    row("hscan", -3, R, ONE, Family::Hash, scan::hscan),
    row("hset", -4, WM | FAST, ONE, Family::Hash, hash::hset),
    row("hsetnx", 4, WM | FAST, ONE, Family::Hash, hash::hsetnx),
    row("hstrlen", 3, R | FAST, ONE, Family::Hash, hash::hstrlen),
    row("hvals", 2, R, ONE, Family::Hash, hash::hvals),
    // Lists.
    row("lindex", 3, R, ONE, Family::List, list::lindex),
    row("linsert", 5, WM, ONE, Family::List, list::linsert),
    row("llen", 2, R | FAST, ONE, Family::List, list::llen),
    row("lmove", 5, WM, TWO, Family::List, list::lmove),
    row("lmpop", -4, W, Keys::Counted(1, false), Family::List, list::lmpop),
    row("lpop", -2, W | FAST, ONE, Family::List, list::lpop),
    row("lpos", -3, R, ONE, Family::List, list::lpos),
    row("lpush", -3, WM | FAST, ONE, Family::List, list::lpush),
    row("lpushx", -3, WM | FAST, ONE, Family::List, list::lpushx),
    row("lrange", 4, R, ONE, Family::List, list::lrange),
    row("lrem", 4, W, ONE, Family::List, list::lrem),
    row("lset", 4, WM, ONE, Family::List, list::lset),
    row("ltrim", 4, W, ONE, Family::List, list::ltrim),
    row("rpop", -2, W | FAST, ONE, Family::List, list::rpop),
    row("rpoplpush", 3, WM, TWO, Family::List, list::rpoplpush),
    row("rpush", -3, WM | FAST, ONE, Family::List, list::rpush),
    row("rpushx", -3, WM | FAST, ONE, Family::List, list::rpushx),
    // Sets.
    row("sadd", -3, WM | FAST, ONE, Family::Set, set::sadd),
    row("scard", 2, R | FAST, ONE, Family::Set, set::scard),
    row("sdiff", -2, R, ALL, Family::Set, set_algebra::sdiff),
    row("sdiffstore", -3, WM, ALL, Family::Set, set_algebra::sdiffstore),
    row("sinter", -2, R, ALL, Family::Set, set_algebra::sinter),
    row("sintercard", -3, R, Keys::Counted(1, false), Family::Set, set_algebra::sintercard),
    row("sinterstore", -3, WM, ALL, Family::Set, set_algebra::sinterstore),
    row("sismember", 3, R | FAST, ONE, Family::Set, set::sismember),
    row("smembers", 2, R, ONE, Family::Set, set::smembers),
    row("smismember", -3, R | FAST, ONE, Family::Set, set::smismember),
    row("smove", 4, W | FAST, TWO, Family::Set, set::smove),
    row("spop", -2, W | FAST, ONE, Family::Set, set::spop),
    row("srandmember", -2, R, ONE, Family::Set, set::srandmember),
    row("srem", -3, W | FAST, ONE, Family::Set, set::srem),
    row("sscan", -3, R, ONE, Family::Set, scan::sscan),
    row("sunion", -2, R, ALL, Family::Set, set_algebra::sunion),
    row("sunionstore", -3, WM, ALL, Family::Set, set_algebra::sunionstore),
    // Sorted sets.
    row("zadd", -4, WM | FAST, ONE, Family::SortedSet, sorted_set::zadd),
    row("zcard", 2, R | FAST, ONE, Family::SortedSet, sorted_set::zcard),
    row("zcount", 4, R | FAST, ONE, Family::SortedSet, zset_range::zcount),
    row("zdiff", -3, R, Keys::Counted(1, false), Family::SortedSet, zset_algebra::zdiff),
    row("zdiffstore", -4, WM, Keys::Counted(2, true), Family::SortedSet, zset_algebra::zdiffstore),
    row("zincrby", 4, WM | FAST, ONE, Family::SortedSet, sorted_set::zincrby),
    row("zinter", -3, R, Keys::Counted(1, false), Family::SortedSet, zset_algebra::zinter),
    row("zintercard", -3, R, Keys::Counted(1, false), Family::SortedSet, zset_algebra::zintercard),
    row("zinterstore", -4, WM, Keys::Counted(2, true), Family::SortedSet, zset_algebra::zinterstore),
    row("zlexcount", 4, R | FAST, ONE, Family::SortedSet, zset_range::zlexcount),
    row("zmpop", -4, W, Keys::Counted(1, false), Family::SortedSet, sorted_set::zmpop),
    row("zmscore", -3, R | FAST, ONE, Family::SortedSet, sorted_set::zmscore),
    row("zpopmax", -2, W | FAST, ONE, Family::SortedSet, sorted_set::zpopmax),
    row("zpopmin", -2, W | FAST, ONE, Family::SortedSet, sorted_set::zpopmin),
    row("zrandmember", -2, R, ONE, Family::SortedSet, sorted_set::zrandmember),
    row("zrange", -4, R, ONE, Family::SortedSet, zset_range::zrange),
    row("zrangebylex", -4, R, ONE, Family::SortedSet, zset_range::zrangebylex),
    row("zrangebyscore", -4, R, ONE, Family::SortedSet, zset_range::zrangebyscore),
    row("zrangestore", -5, WM, TWO, Family::SortedSet, zset_range::zrangestore),
    row("zrank", -3, R | FAST, ONE, Family::SortedSet, sorted_set::zrank),
    row("zrem", -3, W | FAST, ONE, Family::SortedSet, sorted_set::zrem),
    row("zremrangebylex", 4, W, ONE, Family::SortedSet, zset_range::zremrangebylex),
    row("zremrangebyrank", 4, W, ONE, Family::SortedSet, zset_range::zremrangebyrank),
    row("zremrangebyscore", 4, W, ONE, Family::SortedSet, zset_range::zremrangebyscore),
    row("zrevrange", -4, R, ONE, Family::SortedSet, zset_range::zrevrange),
    row("zrevrangebylex", -4, R, ONE, Family::SortedSet, zset_range::zrevrangebylex),
    row("zrevrangebyscore", -4, R, ONE, Family::SortedSet, zset_range::zrevrangebyscore),
    row("zrevrank", -3, R | FAST, ONE, Family::SortedSet, sorted_set::zrevrank),
    row("zscan", -3, R, ONE, Family::SortedSet, scan::zscan),
    row("zscore", 3, R | FAST, ONE, Family::SortedSet, sorted_set::zscore),
    row("zunion", -3, R, Keys::Counted(1, false), Family::SortedSet, zset_algebra::zunion),
    row("zunionstore", -4, WM, Keys::Counted(2, true), Family::SortedSet, zset_algebra::zunionstore),
    // Streams.
    row("xadd", -5, WM | FAST, ONE, Family::Stream, stream::xadd),
    row("xdel", -3, W | FAST, ONE, Family::Stream, stream::xdel),
    container("xinfo", Family::Stream),
    row("xinfo|help", 2, 0, NONE, Family::Stream, introspection::help),
    row("xinfo|stream", -3, R, SUB, Family::Stream, stream::xinfo_stream),
    row("xlen", 2, R | FAST, ONE, Family::Stream, stream::xlen),
    row("xrange", -4, R, ONE, Family::Stream, stream::xrange),
    row("xread", -4, R, Keys::Streams, Family::Stream, stream::xread),
    row("xrevrange", -4, R, ONE, Family::Stream, stream::xrevrange),
    row("xsetid", -3, WM | FAST, ONE, Family::Stream, stream::xsetid),
    row("xtrim", -4, W, ONE, Family::Stream, stream::xtrim),
    // Publishing and subscribing.
    row("psubscribe", -2, PUBSUB | NOSCRIPT | WHILE_SUBSCRIBED, NONE, Family::Pubsub, pubsub::psubscribe),
    row("publish", 3, PUBSUB | FAST | MAY_REPLICATE, NONE, Family::Pubsub, pubsub::publish),
    container("pubsub", Family::Pubsub),
    row("pubsub|channels", -2, PUBSUB, NONE, Family::Pubsub, pubsub::channels),
    row("pubsub|help", 2, 0, NONE, Family::Pubsub, introspection::help),
    row("pubsub|numpat", 2, PUBSUB, NONE, Family::Pubsub, pubsub::numpat),
    row("pubsub|numsub", -2, PUBSUB, NONE, Family::Pubsub, pubsub::numsub),
    row("pubsub|shardchannels", -2, PUBSUB, NONE, Family::Pubsub, pubsub::shardchannels),
    row("pubsub|shardnumsub", -2, PUBSUB, NONE, Family::Pubsub, pubsub::shardnumsub),
    row("punsubscribe", -1, PUBSUB | NOSCRIPT | WHILE_SUBSCRIBED, NONE, Family::Pubsub, pubsub::punsubscribe),
    row("spublish", 3, PUBSUB | FAST | MAY_REPLICATE, ONE, Family::Pubsub, pubsub::spublish),
    row("ssubscribe", -2, PUBSUB | NOSCRIPT | WHILE_SUBSCRIBED, ALL, Family::Pubsub, pubsub::ssubscribe),
    row("subscribe", -2, PUBSUB | NOSCRIPT | WHILE_SUBSCRIBED, NONE, Family::Pubsub, pubsub::subscribe),
    row("sunsubscribe", -1, PUBSUB | NOSCRIPT | WHILE_SUBSCRIBED, ALL, Family::Pubsub, pubsub::sunsubscribe),
    row("unsubscribe", -1, PUBSUB | NOSCRIPT | WHILE_SUBSCRIBED, NONE, Family::Pubsub, pubsub::unsubscribe),
    // Transactions.
    row("discard", 1, NOSCRIPT | FAST | ALLOW_BUSY | UNQUEUED, NONE, Family::Transactions, transaction::discard),
    engine("exec", 1, NOSCRIPT | UNQUEUED, NONE, Family::Transactions, transaction::exec),
    row("multi", 1, NOSCRIPT | FAST | ALLOW_BUSY | UNQUEUED, NONE, Family::Transactions, transaction::multi),
    row("unwatch", 1, NOSCRIPT | FAST | ALLOW_BUSY, NONE, Family::Transactions, transaction::unwatch),
    row("watch", -2, NOSCRIPT | FAST | ALLOW_BUSY | UNQUEUED, ALL, Family::Transactions, transaction::watch),
    // Scripts.
    engine("eval", -3, NOSCRIPT | MAY_REPLICATE, Keys::Counted(2, false), Family::Scripting, script::eval),
    engine("eval_ro", -3, NOSCRIPT | READONLY, Keys::Counted(2, false), Family::Scripting, script::eval_ro),
    engine("evalsha", -3, NOSCRIPT | MAY_REPLICATE, Keys::Counted(2, false), Family::Scripting, script::evalsha),
    engine("evalsha_ro", -3, NOSCRIPT | READONLY, Keys::Counted(2, false), Family::Scripting, script::evalsha_ro),
    container("script", Family::Scripting),
    engine("script|exists", -3, NOSCRIPT, NONE, Family::Scripting, script::exists),
    engine("script|flush", -2, NOSCRIPT, NONE, Family::Scripting, script::flush),
    row("script|help", 2, 0, NONE, Family::Scripting, introspection::help),
    engine("script|kill", 2, NOSCRIPT | ALLOW_BUSY, NONE, Family::Scripting, script::kill),
    engine("script|load", 3, NOSCRIPT, NONE, Family::Scripting, script::load),
    // The store.
    row("bgrewriteaof", 1, ADMIN | NOSCRIPT, NONE, Family::Server, server::bgrewriteaof),
    row("cluster", -2, NOSCRIPT, NONE, Family::Server, server::cluster),
    container_with("command", Family::Server, introspection::command),
    row("command|count", 2, 0, NONE, Family::Server, introspection::command_count),
    row("command|docs", -2, 0, NONE, Family::Server, docs::command_docs),
    row("command|getkeys", -3, 0, NONE, Family::Server, introspection::command_getkeys),
    row("command|help", 2, 0, NONE, Family::Server, introspection::help),
    row("command|info", -2, 0, NONE, Family::Server, introspection::command_info),
    row("command|list", -2, 0, NONE, Family::Server, introspection::command_list),
    container("config", Family::Server),
    row("config|get", -3, ADMIN | NOSCRIPT, NONE, Family::Server, server::config_get),
    row("config|help", 2, 0, NONE, Family::Server, introspection::help),
    row("config|resetstat", 2, ADMIN | NOSCRIPT, NONE, Family::Server, server::config_resetstat),
    row("config|set", -4, ADMIN | NOSCRIPT, NONE, Family::Server, server::config_set),
    row("dbsize", 1, R | FAST, NONE, Family::Server, server::dbsize),
    row("flushall", -1, W, NONE, Family::Server, server::flush),
    row("flushdb", -1, W, NONE, Family::Server, server::flush),
    row("info", -1, 0, NONE, Family::Server, introspection::info),
    container("memory", Family::Server),
    row("memory|help", 2, 0, NONE, Family::Server, introspection::help),
    row("memory|usage", -3, R, SUB, Family::Server, server::memory_usage),
    row("role", 1, NOSCRIPT | FAST, NONE, Family::Server, server::role),
    row("shutdown", -1, ADMIN | NOSCRIPT | NO_MULTI | ALLOW_BUSY, NONE, Family::Server, server::shutdown),
    container("slowlog", Family::Server),
    row("slowlog|get", -2, ADMIN, NONE, Family::Server, slowlog::get),
    row("slowlog|help", 2, 0, NONE, Family::Server, introspection::help),
    row("slowlog|len", 2, ADMIN, NONE, Family::Server, slowlog::len),
    row("slowlog|reset", 2, ADMIN, NONE, Family::Server, slowlog::reset),
    row("time", 1, FAST, NONE, Family::Server, server::time),
];

static BY_NAME: LazyLock<HashMap<&'static [u8], usize, RandomState>> =
    LazyLock::new(|| COMMANDS.iter().enumerate().map(|(at, spec)| (spec.name.as_bytes(), at)).collect());

/// Longest name in the table; anything longer is unknown without a look.
const NAME_MAX: usize = 32;

/// Finds a command by its name in any case; a subcommand cannot be named this way.
pub fn find(name: &[u8]) -> Option<&'static Spec> {
    if name.len() > NAME_MAX || name.contains(&b'|') {
        return None;
    }
    let mut lower = [0; NAME_MAX];
    let lower = &mut lower[..name.len()];
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    BY_NAME.get(&*lower).map(|at| &COMMANDS[*at])
}

pub fn find_subcommand(container: &str, word: &[u8]) -> Option<&'static Spec> {
    let name = [container.as_bytes(), b"|", &word.to_ascii_lowercase()].concat();
    BY_NAME.get(&*name).map(|at| &COMMANDS[*at])
}

/// The row of a command in the table.
pub fn position(spec: &'static Spec) -> usize {
    BY_NAME.get(spec.name.as_bytes()).copied().unwrap_or_default()
}
