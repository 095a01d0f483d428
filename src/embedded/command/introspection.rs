//! What the store says about itself: INFO and COMMAND.

use super::connection::REDIS_VERSION;
use super::is;
use crate::embedded::core::{Core, Tally};
use crate::embedded::fault::Fault;
use crate::embedded::glob;
use crate::embedded::spec::{Call, Family, Handler, Keys, Outcome, Spec, flag};
use crate::embedded::table;

/// The sections of INFO; the last two are shown only when asked for.
const SECTIONS: &[&str] = &[
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "cpu",
    "errorstats",
    "cluster",
    "keyspace",
    "commandstats",
];

pub fn info(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let asked: Vec<String> = args[1..].iter().map(|arg| String::from_utf8_lossy(arg).to_ascii_lowercase()).collect();
    let all = asked.iter().any(|name| name == "all" || name == "everything");
    let default = asked.is_empty() || asked.iter().any(|name| name == "default");
    let wanted =
        |name: &&&str| all || asked.iter().any(|asked| asked == **name) || (default && **name != "commandstats");
    let sections: Vec<String> = SECTIONS.iter().filter(wanted).map(|name| section(call.core, name)).collect();
    call.out.verbatim(b"txt", sections.join("\r\n").as_bytes());
    Ok(())
}

fn section(core: &Core, name: &str) -> String {
    let lines = match name {
        "server" => server(core),
        "clients" => vec![
            format!("connected_clients:{}", core.clients.len() - 1),
            "blocked_clients:0".into(),
            format!("pubsub_clients:{}", core.clients.values().filter(|client| client.subscriptions() > 0).count()),
        ],
        "memory" => vec![
            format!("used_memory:{}", core.used_memory()),
            format!("used_memory_rss:{}", core.resident_memory()),
            format!("used_memory_lua:{}", core.lua_bytes),
            format!("maxmemory:{}", core.config.maxmemory),
            "maxmemory_policy:noeviction".into(),
            format!("number_of_cached_scripts:{}", core.cached_scripts),
        ],
        "persistence" => persistence(core),
        "stats" => stats(core),
        "replication" => vec!["role:master".into(), "connected_slaves:0".into(), "master_repl_offset:0".into()],
        "cpu" => vec!["used_cpu_sys:0.000000".into(), "used_cpu_user:0.000000".into()],
        "errorstats" => {
            core.stats.errors.iter().map(|(code, count)| format!("errorstat_{code}:count={count}")).collect()
        }
        "cluster" => vec!["cluster_enabled:0".into()],
        "keyspace" if core.db.len() == 0 => Vec::new(),
        "keyspace" => vec![format!("db0:keys={},expires={},avg_ttl=0", core.db.len(), core.db.expiring())],
        _ => command_stats(core),
    };
    let title = name[..1].to_ascii_uppercase() + &name[1..];
    format!("# {title}\r\n{}", lines.into_iter().map(|line| line + "\r\n").collect::<String>())
}

fn server(core: &Core) -> Vec<String> {
    let up = core.now_us.saturating_sub(core.started_us) / 1_000_000;
    vec![
        format!("redis_version:{REDIS_VERSION}"),
        "redis_mode:standalone".into(),
        format!("oneseat_version:{}", env!("CARGO_PKG_VERSION")),
        format!("os:{} {}", std::env::consts::OS, std::env::consts::ARCH),
        format!("arch_bits:{}", usize::BITS),
        format!("process_id:{}", std::process::id()),
        format!("run_id:{}", core.run_id),
        "tcp_port:0".into(),
        format!("server_time_usec:{}", core.now_us),
        format!("uptime_in_seconds:{up}"),
        format!("uptime_in_days:{}", up / 86400),
    ]
}

fn persistence(core: &Core) -> Vec<String> {
    let log = &core.log;
    let word = |is_good: bool| if is_good { "ok" } else { "err" };
    let mut lines = vec![
        "loading:0".into(),
        format!("rdb_changes_since_last_save:{}", core.db.dirty),
        "rdb_bgsave_in_progress:0".into(),
        format!("aof_enabled:{}", u8::from(core.config.append_only)),
    ];
    if core.config.append_only {
        lines.push(format!("aof_rewrite_in_progress:{}", u8::from(log.rewriting)));
        lines.push(format!("aof_rewrite_scheduled:{}", u8::from(log.rewrite_asked)));
        lines.push(format!("aof_rewrites:{}", log.rewrites));
        lines.push(format!("aof_last_bgrewrite_status:{}", word(!log.rewrite_failed)));
        lines.push(format!("aof_last_write_status:{}", word(log.trouble.is_none())));
        lines.push(format!("aof_current_size:{}", log.bytes));
        lines.push(format!("aof_base_size:{}", log.base_bytes));
    }
    lines
}

fn stats(core: &Core) -> Vec<String> {
    let errors: u64 = core.stats.errors.values().sum();
    vec![
        format!("total_connections_received:{}", core.stats.connections),
        format!("total_commands_processed:{}", core.stats.commands),
        format!("expired_keys:{}", core.db.expired),
        "evicted_keys:0".into(),
        format!("keyspace_hits:{}", core.stats.keyspace_hits),
        format!("keyspace_misses:{}", core.stats.keyspace_misses),
        format!("pubsub_patterns:{}", core.pubsub.pattern_count()),
        format!("total_error_replies:{errors}"),
    ]
}

fn command_stats(core: &Core) -> Vec<String> {
    let seen = |tally: &Tally| tally.calls + tally.rejected > 0;
    let rows = table::COMMANDS.iter().zip(&core.stats.tallies).filter(|(_, tally)| seen(tally));
    rows.map(|(spec, Tally { calls, rejected, failed })| {
        format!("cmdstat_{}:calls={calls},rejected_calls={rejected},failed_calls={failed}", spec.name)
    })
    .collect()
}

/// Commands that are not subcommands.
pub fn top_level() -> impl Iterator<Item = &'static Spec> {
    table::COMMANDS.iter().filter(|spec| !spec.name.contains('|'))
}

pub fn subcommands(container: &'static Spec) -> Vec<&'static Spec> {
    if !matches!(container.handler, Handler::Container(_)) {
        return Vec::new();
    }
    let prefix = format!("{}|", container.name);
    table::COMMANDS.iter().filter(|spec| spec.name.starts_with(&prefix)).collect()
}

pub fn command(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    call.out.array(top_level().count());
    top_level().for_each(|spec| write_info(call, spec));
    Ok(())
}

/// A command as COMMAND INFO describes it.
fn write_info(call: &mut Call<'_>, spec: &'static Spec) {
    let (first, last, step) = match spec.keys {
        Keys::Range(first, last, step) => (first, last, step),
        Keys::Counted(_, true) => (1, 1, 1),
        _ => (0, 0, 0),
    };
    let movable = matches!(spec.keys, Keys::Counted(..) | Keys::Streams);
    let mut flags: Vec<&str> = flag::NAMES.iter().filter(|(bit, _)| spec.has(*bit)).map(|(_, name)| *name).collect();
    if movable {
        flags.push("movablekeys");
    }
    call.out.array(10);
    call.out.bulk(spec.name.as_bytes());
    call.out.integer(i64::from(spec.arity));
    call.out.set(flags.len());
    flags.iter().for_each(|name| call.out.status(name.as_bytes()));
    for number in [first, last, step] {
        call.out.integer(i64::from(number));
    }
    call.out.set(1);
    call.out.status(format!("@{}", spec.family.name()).as_bytes());
    call.out.array(0);
    call.out.array(0);
    let subcommands = subcommands(spec);
    call.out.array(subcommands.len());
    subcommands.into_iter().for_each(|spec| write_info(call, spec));
}

pub fn command_count(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    call.out.count(top_level().count());
    Ok(())
}

pub fn command_info(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    if args.len() == 2 {
        return command(call, args);
    }
    call.out.array(args.len() - 2);
    for name in &args[2..] {
        match find_spec(name) {
            Some(spec) => write_info(call, spec),
            None => call.out.null_array(),
        }
    }
    Ok(())
}

pub fn find_spec(name: &[u8]) -> Option<&'static Spec> {
    match name.iter().position(|byte| *byte == b'|') {
        Some(at) => table::find_subcommand(table::find(&name[..at])?.name, &name[at + 1..]),
        None => table::find(name),
    }
}

pub fn command_list(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let mut specs: Vec<&Spec> = table::COMMANDS.iter().collect();
    match args {
        [_, _] => {}
        [_, _, filter, by, value] if is(filter, "filterby") && is(by, "pattern") => {
            specs.retain(|spec| glob::matches(&value.to_ascii_lowercase(), spec.name.as_bytes()));
        }
        [_, _, filter, by, value] if is(filter, "filterby") && is(by, "aclcat") => {
            specs.retain(|spec| is(value, spec.family.name()));
        }
        [_, _, filter, by, _] if is(filter, "filterby") && is(by, "module") => specs.clear(),
        _ => return Err(Fault::SYNTAX),
    }
    call.out.array(specs.len());
    specs.into_iter().for_each(|spec| call.out.bulk(spec.name.as_bytes()));
    Ok(())
}

pub fn command_getkeys(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let request = &args[2..];
    let unknown = Fault::new("ERR Invalid command specified");
    let mut spec = table::find(request[0]).ok_or_else(|| unknown.clone())?;
    if let (Handler::Container(_), Some(word)) = (spec.handler, request.get(1)) {
        spec = table::find_subcommand(spec.name, word).ok_or(unknown)?;
    }
    if spec.keys == Keys::None {
        return Err(Fault::new("ERR The command has no key arguments"));
    }
    if !spec.accepts(request.len()) {
        return Err(Fault::new("ERR Invalid number of arguments specified for command"));
    }
    let positions = spec.key_positions(request);
    // Only scripts do without keys.
    if positions.is_empty() && spec.family != Family::Scripting {
        return Err(Fault::new("ERR Invalid arguments specified for command"));
    }
    call.out.array(positions.len());
    positions.into_iter().for_each(|at| call.out.bulk(request[at]));
    Ok(())
}

/// HELP of any container: its subcommands.
pub fn help(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let Some(container) = table::find(args[0]) else {
        return Err(Fault::SYNTAX);
    };
    let title = container.name.to_ascii_uppercase();
    let names = subcommands(container).into_iter().filter_map(|spec| spec.name.split_once('|'));
    let mut lines = vec![format!("{title} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")];
    lines.extend(names.map(|(_, name)| name.to_ascii_uppercase()));
    call.out.array(lines.len());
    lines.iter().for_each(|line| call.out.status(line.as_bytes()));
    Ok(())
}
