//! The reference page of the commands: it is made from the command table, and it must equal it.

use std::fmt::Write;

use oneseat::embedded::{Engine, EngineOptions, Reply};

const PAGE: &str = include_str!("../../src/embedded/COMMANDS.md");
const REWRITE: &str = "UPDATE_COMMANDS";

const HEAD: &str = "\
# Commands of the embedded store

Made from the command table; `UPDATE_COMMANDS=1 cargo test --test embedded reference` writes it anew.

The number of arguments counts the name of the command; `-3` means three or more. Keys are named by their position
among the arguments, where the name of the command is 0. Where Redis 7.0 and 7.2 differ, the store does as 7.2.

## What is not there

Each of these answers as a command that does not exist. If you need one, use an external Redis: set `redis.url` to it.

";

/// What is left out, each with its commands; a bar stands between a command and its subcommand.
const ABSENT: &[(&str, &str)] = &[
    ("Blocking commands", "blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin client|unblock"),
    ("Consumer groups", "xack xautoclaim xclaim xgroup xpending xreadgroup xinfo|consumers xinfo|groups"),
    ("Bits", "bitcount bitfield bitfield_ro bitop bitpos getbit setbit"),
    (
        "Geography",
        "geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch \
         geosearchstore",
    ),
    ("HyperLogLog", "pfadd pfcount pfdebug pfmerge pfselftest"),
    ("Sorting", "sort sort_ro"),
    ("Functions", "fcall fcall_ro function"),
    ("Several databases", "move swapdb"),
    ("Replication", "failover psync readonly readwrite replconf replicaof slaveof sync waitaof"),
    ("Eviction", "client|no-evict client|no-touch object|freq object|idletime"),
    ("Snapshots", "bgsave dump lastsave migrate restore restore-asking save"),
    ("Users and permissions", "acl"),
    (
        "Client-side caching and pauses",
        "client|caching client|getredir client|pause client|tracking client|trackinginfo client|unpause",
    ),
    (
        "Modules and diagnosis",
        "command|getkeysandflags config|rewrite debug latency lolwut memory|doctor memory|malloc-stats memory|purge memory|stats module monitor \
         script|debug",
    ),
];

const ABSENT_TAIL: &str = "
`SELECT` knows database 0 only, `XREAD` refuses `BLOCK` outside of scripts, `CONFIG SET maxmemory-policy` takes only
`noeviction`, and `CLUSTER` answers as a Redis that is not in a cluster.
";

/// One command as COMMAND describes it.
struct Row {
    name: String,
    arity: i64,
    flags: Vec<String>,
    keys: String,
    family: String,
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Status(text) => text.clone(),
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("a text was expected: {other:?}"),
    }
}

fn items(reply: &Reply) -> &[Reply] {
    match reply {
        Reply::Array(items) | Reply::Set(items) => items,
        other => panic!("a list was expected: {other:?}"),
    }
}

fn number(reply: &Reply) -> i64 {
    match reply {
        Reply::Integer(number) => *number,
        other => panic!("a number was expected: {other:?}"),
    }
}

/// A command and its subcommands.
fn rows_of(reply: &Reply) -> Vec<Row> {
    let fields = items(reply);
    let mut flags: Vec<String> = items(&fields[2]).iter().map(text).collect();
    let movable = flags.iter().any(|flag| flag == "movablekeys");
    flags.retain(|flag| flag != "movablekeys");
    let range = [3, 4, 5].map(|at| number(&fields[at]));
    let fixed = match range {
        [0, ..] => String::new(),
        [first, last, _] if first == last => first.to_string(),
        [first, -1, 1] => format!("{first} to the last"),
        [first, -1, step] => format!("each {step}nd from {first}"),
        [first, last, _] => format!("{first} to {last}"),
    };
    let keys = match (fixed.as_str(), movable) {
        ("", true) => "counted".into(),
        (_, true) => format!("{fixed}, counted"),
        (_, false) => fixed,
    };
    let family = text(&items(&fields[6])[0]).trim_start_matches('@').to_owned();
    let own = Row { name: text(&fields[0]), arity: number(&fields[1]), flags, keys, family };
    let mut rows = vec![own];
    rows.extend(items(&fields[9]).iter().flat_map(rows_of));
    rows
}

fn page(engine: &mut Engine) -> String {
    let mut page = HEAD.to_owned();
    for (title, names) in ABSENT {
        let names: Vec<String> =
            names.split(' ').map(|name| format!("`{}`", name.replace('|', " ").to_uppercase())).collect();
        writeln!(page, "- {title}: {}", names.join(", ")).expect("a string takes all");
    }
    page += ABSENT_TAIL;
    page += "\n## What is there\n\nA container, such as `CLIENT`, stands before its subcommands.\n\n";
    page += "| command | arguments | flags | keys | family |\n|---|---|---|---|---|\n";
    let reply = engine.execute(&[b"COMMAND"]);
    for row in items(&reply).iter().flat_map(rows_of) {
        let name = row.name.replace('|', " ").to_uppercase();
        let line = format!("| {name} | {} | {} | {} | {} |", row.arity, row.flags.join(" "), row.keys, row.family);
        page += &line.replace("|  |", "| |").replace("|  |", "| |");
        page.push('\n');
    }
    page
}

#[test]
fn the_reference_page_equals_the_command_table() {
    let page = page(&mut Engine::new(EngineOptions::default()));
    if std::env::var_os(REWRITE).is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/embedded/COMMANDS.md");
        std::fs::write(path, page).expect("the page can be written");
        return;
    }
    let differs = page.lines().zip(PAGE.lines()).find(|(now, then)| now != then);
    assert!(
        page == PAGE,
        "src/embedded/COMMANDS.md is not what the command table says (first difference: {differs:?}); run \
         `{REWRITE}=1 cargo test --test embedded reference`"
    );
}

#[test]
fn what_is_not_there_answers_as_unknown() {
    let mut engine = Engine::new(EngineOptions::default());
    for name in ABSENT.iter().flat_map(|(_, names)| names.split(' ')) {
        let words: Vec<&[u8]> = name.split('|').map(str::as_bytes).collect();
        let Reply::Error(error) = engine.execute(&words) else { panic!("{name} is there") };
        assert!(error.starts_with("ERR unknown "), "{name}: {error}");
    }
}
