//! What can be said against scripts without running them, each as `file:line: what, do this instead`.
//!
//! Headers, bindings and sizes are checked where scripts are read; here the compiled code is held against what a
//! script may use. What only a run can show, such as keys that were not declared, is the tests' business.

use mlua::{Lua, LuaOptions, StdLib};

use crate::embedded::slot_of;
use crate::offline::bytecode::Prototype;
use crate::offline::language::message_of;
use crate::offline::usage::{Known, Use, What, uses};
use crate::script::bundle::Bundle;
use crate::script::catalogue::{Catalogue, Script};
use crate::script::key::Shard;
use crate::script::problem::Problem;
use crate::script::tree::Tree;

/// The helper that may read the clock.
const CLOCK: &str = "lib/now_ms.lua";
/// How the text of a script is called in messages of the compiler.
const CHUNK: &str = "=user_script";

/// Globals that are no library.
const FUNCTIONS: [&str; 13] = [
    "ARGV", "KEYS", "assert", "error", "ipairs", "next", "pairs", "pcall", "select", "tonumber", "tostring", "type",
    "unpack",
];

/// Libraries, and what of them gives the same answer each time and leaves nothing behind.
const LIBRARIES: [(&str, &[&str]); 9] = [
    (
        "redis",
        &[
            "call",
            "error_reply",
            "log",
            "LOG_DEBUG",
            "LOG_NOTICE",
            "LOG_VERBOSE",
            "LOG_WARNING",
            "pcall",
            "REDIS_VERSION",
            "REDIS_VERSION_NUM",
            "sha1hex",
            "status_reply",
        ],
    ),
    ("cjson", &["decode", "encode", "null"]),
    (
        "string",
        &[
            "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse", "sub",
            "upper",
        ],
    ),
    ("table", &["concat", "insert", "maxn", "remove", "sort"]),
    ("math", &["abs", "ceil", "exp", "floor", "fmod", "huge", "log", "log10", "max", "min", "modf", "pow", "sqrt"]),
    ("os", &["clock"]),
    ("bit", &["arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror", "rshift", "tobit", "tohex"]),
    ("cmsgpack", &["pack", "unpack"]),
    ("struct", &["pack", "size", "unpack"]),
];

/// Commands that no script runs, and why.
const COMMANDS: [(&str, &[&str]); 4] = [
    (
        "touches keys that no header declares; a script works on its own keys",
        &["DBSIZE", "FLUSHALL", "FLUSHDB", "KEYS", "MIGRATE", "MOVE", "RANDOMKEY", "SCAN", "SELECT", "SORT", "SWAPDB"],
    ),
    (
        "picks at random, so that the same call twice differs; choose by an argument",
        &["HRANDFIELD", "SPOP", "SRANDMEMBER", "ZRANDMEMBER"],
    ),
    (
        "waits, and a script cannot; answer, and let the caller ask again",
        &["BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "WAIT", "WAITAOF"],
    ),
    (
        "is about the server or its clients, not about a user; operators run it by hand",
        &[
            "ACL",
            "BGREWRITEAOF",
            "BGSAVE",
            "CLIENT",
            "CLUSTER",
            "COMMAND",
            "CONFIG",
            "DEBUG",
            "DISCARD",
            "EVAL",
            "EVALSHA",
            "EVALSHA_RO",
            "EVAL_RO",
            "EXEC",
            "FAILOVER",
            "FCALL",
            "FCALL_RO",
            "FUNCTION",
            "INFO",
            "LASTSAVE",
            "LATENCY",
            "MEMORY",
            "MODULE",
            "MONITOR",
            "MULTI",
            "PSUBSCRIBE",
            "REPLICAOF",
            "RESET",
            "ROLE",
            "SAVE",
            "SCRIPT",
            "SHUTDOWN",
            "SLAVEOF",
            "SLOWLOG",
            "SUBSCRIBE",
            "SSUBSCRIBE",
            "UNWATCH",
            "WATCH",
        ],
    ),
];

/// Commands whose first argument is no key.
const KEYLESS: [&str; 16] = [
    "ECHO",
    "LMPOP",
    "OBJECT",
    "PING",
    "PUBLISH",
    "SINTERCARD",
    "SPUBLISH",
    "TIME",
    "XGROUP",
    "XINFO",
    "XREAD",
    "XREADGROUP",
    "ZDIFF",
    "ZINTER",
    "ZMPOP",
    "ZUNION",
];

/// Everything that is wrong with the scripts of a tree. Where they are not well-formed that is all that is said.
pub fn check(tree: &Tree) -> Vec<Problem> {
    match Catalogue::from_tree(tree) {
        Ok(catalogue) => check_all(tree, &catalogue),
        Err(error) => error.problems,
    }
}

/// As [`check`], for scripts that were read already.
pub fn check_all(tree: &Tree, catalogue: &Catalogue) -> Vec<Problem> {
    let mut problems = unused_helpers(tree, catalogue);
    for script in catalogue.scripts() {
        problems.extend(check_code(tree, &script.bundle));
        problems.extend(check_slots(tree, script));
    }
    // A helper is part of many scripts.
    problems.sort();
    problems.dedup();
    problems
}

/// All keys of a call have to lie in one hash slot, whichever user and shard it is for.
fn check_slots(tree: &Tree, script: &Script) -> Vec<Problem> {
    let (name, version) = (script.name(), script.version());
    let text = tree.get(&format!("{name}/v{version}.lua")).unwrap_or_default();
    let line_of = |word: &str| {
        let is_it =
            |line: &str| line.strip_prefix("-- @key ").is_some_and(|rest| rest.split_whitespace().next() == Some(word));
        text.lines().position(is_it).map_or(1, |index| index + 1)
    };
    let slots = |shard: u16| -> Vec<_> {
        script.keys(Shard(shard), "1001").iter().map(|key| slot_of(key.as_bytes())).collect()
    };
    // Two shards, so that keys that agree on one of them by chance are told apart.
    let (one, other) = (slots(0), slots(1));
    let odd = (1..one.len()).filter(|index| one[*index] != one[0] || other[*index] != other[0]);
    let problem = |index: usize| {
        let [first, odd] = [0, index].map(|index| script.header.keys[index].word());
        let message = format!(
            "the keys `{first}` and `{odd}` lie in different hash slots, which a cluster refuses; take the other one by a `call` effect"
        );
        Problem { file: script.bundle.label().to_owned(), line: line_of(odd), message }
    };
    odd.map(problem).collect()
}

fn unused_helpers(tree: &Tree, catalogue: &Catalogue) -> Vec<Problem> {
    let files = tree.files().filter(|(path, _)| path.starts_with("lib/"));
    let labels = files.map(|(path, _)| tree.label(path));
    let unused = labels.filter(|label| !catalogue.scripts().any(|script| script.bundle.has(label)));
    let message = "no script includes this helper; remove it, or @include it";
    unused.map(|file| Problem { file, line: 1, message: message.to_owned() }).collect()
}

fn check_code(tree: &Tree, bundle: &Bundle) -> Vec<Problem> {
    let problem = |at: String, message: String| {
        let (file, line) = at.rsplit_once(':').unwrap_or((&at, "0"));
        Problem { file: file.to_owned(), line: line.parse().unwrap_or(0), message }
    };
    let main = match compile(&bundle.text) {
        Ok(main) => main,
        Err(error) => {
            let (at, message) = bundle.translate(&error);
            return vec![problem(at, message)];
        }
    };
    let clock = tree.label(CLOCK);
    let judged = uses(&main).into_iter().filter_map(|Use { line, what }| {
        let at = bundle.locate(line);
        let is_clock = at.rsplit_once(':').is_some_and(|(file, _)| file == clock);
        judge(&what, is_clock).map(|message| problem(at, message))
    });
    judged.collect()
}

fn compile(text: &str) -> Result<Prototype, String> {
    let lua = Lua::new_with(StdLib::NONE, LuaOptions::default()).map_err(|error| error.to_string())?;
    let function = lua.load(text).set_name(CHUNK).into_function().map_err(|error| message_of(&error))?;
    Prototype::read(&function.dump(false)).ok_or_else(|| "the interpreter's bytecode cannot be read".to_owned())
}

/// What is wrong with a use, if anything.
fn judge(what: &What, is_clock: bool) -> Option<String> {
    match what {
        What::ReadGlobal(name) => judge_global(name),
        What::WriteGlobal(name) => {
            Some(format!("`{name}` is written as a global, which Redis refuses; write `local {name}`"))
        }
        What::Member(name, field) => judge_member(name, field.as_deref()),
        What::WriteMember(name) => Some(format!("`{name}` belongs to all scripts; keep it as it is")),
        What::Command(None, _) => {
            Some("the command is not certain here; write its name as a text in the call itself".to_owned())
        }
        What::Command(Some(name), first) => judge_command(name, first, is_clock),
        What::KeyJoined(name) => Some(format!(
            "the key `{name}` becomes a part of another text; a key that is not declared cannot be found by the caller, declare it with @key"
        )),
        What::CallKept => {
            Some("`redis.call` is put aside; call it where it stands, so that its command can be seen".to_owned())
        }
    }
}

fn judge_global(name: &str) -> Option<String> {
    if FUNCTIONS.contains(&name) || LIBRARIES.iter().any(|(library, _)| *library == name) {
        return None;
    }
    let instead = match name {
        "_G" | "getfenv" | "setfenv" | "rawset" | "module" => "all names are locals",
        "load" | "loadstring" | "loadfile" | "dofile" | "require" | "package" => {
            "code comes from files that @include names"
        }
        "io" | "debug" | "print" => "answer by effects, log with redis.log",
        "collectgarbage" | "gcinfo" | "newproxy" | "coroutine" => "scripts are too short to need it",
        "xpcall" => "use pcall",
        "getmetatable" | "setmetatable" | "rawget" | "rawequal" => "use plain tables",
        _ => {
            return Some(format!(
                "nothing is called `{name}`; write `local {name}`, or @include the helper of that name"
            ));
        }
    };
    Some(format!("`{name}` is not for scripts; {instead}"))
}

fn judge_member(name: &str, field: Option<&str>) -> Option<String> {
    let (_, allowed) = LIBRARIES.iter().find(|(library, _)| *library == name)?;
    match field {
        Some(field) if allowed.contains(&field) => None,
        Some(field) if name == "math" && field.starts_with("random") => {
            Some(format!("`math.{field}` differs from run to run; let the caller give what has to be random"))
        }
        Some(field) => Some(format!("`{name}.{field}` is not for scripts; allowed are {}", allowed.join(", "))),
        None => Some(format!("a field of `{name}` is chosen as the script runs; write its name")),
    }
}

fn judge_command(name: &str, first: &Known, is_clock: bool) -> Option<String> {
    if let Some((why, _)) = COMMANDS.iter().find(|(_, names)| names.contains(&name)) {
        return Some(format!("{name} {why}"));
    }
    if name == "TIME" && !is_clock {
        return Some("TIME is read by the helper `now_ms` alone, once per call; @include now_ms".to_owned());
    }
    if KEYLESS.contains(&name) {
        return None;
    }
    match first {
        Known::Text(text) => Some(format!("the key '{text}' of {name} is a text; declare keys with @key")),
        Known::Joined => Some(format!("the key of {name} is put together here; declare keys with @key")),
        _ => None,
    }
}
