//! The connection itself: protocol, identity, name.

use super::{integer, is};
use crate::embedded::client::{Client, ReplyMode};
use crate::embedded::fault::Fault;
use crate::embedded::spec::{Call, Outcome};

/// The version of Redis whose behaviour this engine follows.
pub const REDIS_VERSION: &str = "7.2.4";

pub fn ping(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    if args.len() > 2 {
        return Err(Fault::arity("ping"));
    }
    let message = args.get(1).copied();
    if call.core.client().confined() && !call.core.script.running {
        call.out.array(2);
        call.out.bulk(b"pong");
        call.out.bulk(message.unwrap_or_default());
        return Ok(());
    }
    match message {
        Some(message) => call.out.bulk(message),
        None => call.out.status(b"PONG"),
    }
    Ok(())
}

pub fn echo(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    call.out.bulk(args[1]);
    Ok(())
}

pub fn quit(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    call.core.client().closing = true;
    call.out.ok();
    Ok(())
}

pub fn reset(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    let id = call.core.client().id;
    call.core.reset(id);
    let client = call.core.client();
    client.name.clear();
    client.resp3 = false;
    client.reply_mode = ReplyMode::On;
    call.out.status(b"RESET");
    Ok(())
}

pub fn select(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    match integer(args[1]) {
        Ok(0) => call.out.ok(),
        Ok(_) => return Err(Fault::new("ERR DB index is out of range")),
        Err(_) => return Err(Fault::new("ERR value is not an integer or out of range")),
    }
    Ok(())
}

/// There is one user and it has no password, as in a Redis that was not told otherwise.
fn authenticate(user: &[u8]) -> Outcome {
    if user == b"default" {
        return Ok(());
    }
    Err(Fault::new("WRONGPASS invalid username-password pair or user is disabled."))
}

pub fn auth(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    match args.len() {
        2 => {
            return Err(Fault::new(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
                 configuration is correct?",
            ));
        }
        3 => authenticate(args[1])?,
        _ => return Err(Fault::SYNTAX),
    }
    call.out.ok();
    Ok(())
}

pub fn hello(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let mut resp3 = call.core.client().resp3;
    if let Some(version) = args.get(1) {
        let version =
            integer(version).map_err(|_| Fault::new("ERR Protocol version is not an integer or out of range"))?;
        if !(2..=3).contains(&version) {
            return Err(Fault::new("NOPROTO unsupported protocol version"));
        }
        resp3 = version == 3;
    }
    let mut at = 2;
    let mut name = None;
    while let Some(arg) = args.get(at) {
        if is(arg, "auth") && args.len() > at + 2 {
            authenticate(args[at + 1])?;
            at += 3;
        } else if is(arg, "setname") && args.len() > at + 1 {
            name = Some(checked_name(args[at + 1])?);
            at += 2;
        } else {
            let option = String::from_utf8_lossy(arg).into_owned();
            return Err(Fault::new(format!("ERR Syntax error in HELLO option '{option}'")));
        }
    }
    let client = call.core.client();
    client.resp3 = resp3;
    if let Some(name) = name {
        client.name = name;
    }
    let id = client.id;
    call.out.resp3 = resp3;
    write_hello(call, id);
    Ok(())
}

fn write_hello(call: &mut Call<'_>, id: u64) {
    call.out.map(7);
    for (name, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        call.out.bulk(name.as_bytes());
        call.out.bulk(value.as_bytes());
    }
    call.out.bulk(b"proto");
    call.out.integer(if call.out.resp3 { 3 } else { 2 });
    call.out.bulk(b"id");
    call.out.integer(id as i64);
    for (name, value) in [("mode", "standalone"), ("role", "master")] {
        call.out.bulk(name.as_bytes());
        call.out.bulk(value.as_bytes());
    }
    call.out.bulk(b"modules");
    call.out.array(0);
}

fn checked_name(name: &[u8]) -> Result<Vec<u8>, Fault> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Ok(name.to_vec());
    }
    Err(Fault::new("ERR Client names cannot contain spaces, newlines or special characters."))
}

pub fn client_id(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    let id = call.core.client().id;
    call.out.integer(id as i64);
    Ok(())
}

pub fn client_getname(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    let name = call.core.client().name.clone();
    call.out.bulk_or_null((!name.is_empty()).then_some(&name[..]));
    Ok(())
}

pub fn client_setname(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    call.core.client().name = checked_name(args[2])?;
    call.out.ok();
    Ok(())
}

pub fn client_setinfo(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let option = String::from_utf8_lossy(args[2]).to_ascii_lowercase();
    let text = args[3];
    if !text.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Err(Fault::new(format!("ERR {option} cannot contain spaces, newlines or special characters.")));
    }
    let library = &mut call.core.client().library;
    match option.as_str() {
        "lib-name" => library.0 = text.to_vec(),
        "lib-ver" => library.1 = text.to_vec(),
        _ => {
            let option = String::from_utf8_lossy(args[2]).into_owned();
            return Err(Fault::new(format!("ERR Unrecognized option '{option}'")));
        }
    }
    call.out.ok();
    Ok(())
}

/// One client as CLIENT LIST prints it.
fn describe(client: &Client, now_us: u64) -> String {
    let seconds = |since: u64| now_us.saturating_sub(since) / 1_000_000;
    let queued = client.transaction.as_ref().map_or(-1, |transaction| transaction.queue.len() as i64);
    let flags = if client.confined() {
        "P"
    } else if queued >= 0 {
        "x"
    } else {
        "N"
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "id={} addr={ADDRESS} laddr={ADDRESS} fd=0 name={} age={} idle={} flags={flags} db=0 sub={} psub={} ssub={} \
         multi={queued} watch={} qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={} oll=0 omem=0 tot-mem=0 \
         events=r cmd={} user=default redir=-1 resp={} lib-name={} lib-ver={}",
        client.id,
        text(&client.name),
        seconds(client.connected_us),
        seconds(client.last_seen_us),
        client.channels.len(),
        client.patterns.len(),
        client.shard_channels.len(),
        client.watching.len(),
        client.outbox.buffer.len(),
        client.last_command,
        if client.resp3 { 3 } else { 2 },
        text(&client.library.0),
        text(&client.library.1),
    )
}

pub fn client_info(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    let now = call.core.now_us;
    let line = describe(call.core.client(), now) + "\n";
    call.out.verbatim(b"txt", line.as_bytes());
    Ok(())
}

const NORMAL: &str = "normal";
const PUBSUB: &str = "pubsub";
const ADDRESS: &str = "unix";

fn kind_of(client: &Client) -> &'static str {
    if client.subscriptions() > 0 { PUBSUB } else { NORMAL }
}

/// A type of clients that Redis knows; those of replication are never met.
fn client_kind(arg: &[u8]) -> Result<&'static str, Fault> {
    let known = [NORMAL, PUBSUB, "master", "replica", "slave"].into_iter().find(|kind| is(arg, kind));
    known.ok_or_else(|| Fault::new(format!("ERR Unknown client type '{}'", String::from_utf8_lossy(arg))))
}

pub fn client_list(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let (mut wanted, mut kind) = (None, None);
    if args.len() > 2 {
        if is(args[2], "id") && args.len() > 3 {
            let ids = args[3..].iter().map(|arg| integer(arg).map_err(|_| Fault::new("ERR Invalid client ID")));
            wanted = Some(ids.collect::<Result<Vec<_>, _>>()?);
        } else if is(args[2], "type") && args.len() == 4 {
            kind = Some(client_kind(args[3])?);
        } else {
            return Err(Fault::SYNTAX);
        }
    }
    let mut clients: Vec<&Client> = call.core.clients.values().filter(|client| client.id != 0).collect();
    clients.retain(|client| kind.is_none_or(|kind| kind == kind_of(client)));
    clients.retain(|client| wanted.as_ref().is_none_or(|ids| ids.contains(&(client.id as i64))));
    clients.sort_by_key(|client| client.id);
    let lines: String = clients.iter().map(|client| describe(client, call.core.now_us) + "\n").collect();
    call.out.verbatim(b"txt", lines.as_bytes());
    Ok(())
}

pub fn client_kill(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    if args.len() == 3 {
        return Err(Fault::new("ERR No such client"));
    }
    let own = call.core.client().id;
    let (mut target, mut kind, mut elsewhere, mut skip_me) = (None, None, false, true);
    for pair in args[2..].chunks(2) {
        let value = *pair.get(1).ok_or(Fault::SYNTAX)?;
        if is(pair[0], "id") {
            let id = integer(value).ok().filter(|id| *id > 0);
            target = Some(id.ok_or(Fault::new("ERR client-id should be greater than 0"))? as u64);
        } else if is(pair[0], "type") {
            kind = Some(client_kind(value)?);
        } else if is(pair[0], "user") {
            let missing = || Fault::new(format!("ERR No such user '{}'", String::from_utf8_lossy(value)));
            (value == b"default").then_some(()).ok_or_else(missing)?;
        } else if is(pair[0], "addr") || is(pair[0], "laddr") {
            elsewhere |= value != ADDRESS.as_bytes();
        } else if is(pair[0], "skipme") && (is(value, "yes") || is(value, "no")) {
            skip_me = is(value, "yes");
        } else {
            return Err(Fault::SYNTAX);
        }
    }
    let hit = |client: &&Client| {
        target.map_or(client.id != 0, |target| client.id == target)
            && kind.is_none_or(|kind| kind == kind_of(client))
            && !elsewhere
            && !(skip_me && client.id == own)
    };
    let killed: Vec<u64> = call.core.clients.values().filter(hit).map(|client| client.id).collect();
    killed.iter().for_each(|id| call.core.close_client(*id));
    call.out.count(killed.len());
    Ok(())
}

pub fn client_reply(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let client = call.core.client();
    if is(args[2], "on") {
        client.reply_mode = ReplyMode::On;
        call.out.ok();
    } else if is(args[2], "off") {
        client.reply_mode = ReplyMode::Off;
    } else if is(args[2], "skip") {
        if client.reply_mode == ReplyMode::On {
            client.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(Fault::SYNTAX);
    }
    Ok(())
}
