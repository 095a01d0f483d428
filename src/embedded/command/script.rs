//! EVAL and its relatives, and the cache of scripts.

use super::{integer, is};
use crate::embedded::client::ClientId;
use crate::embedded::engine::Engine;
use crate::embedded::fault::Fault;
use crate::embedded::lua::host::Invocation;
use crate::embedded::reply::Output;
use crate::embedded::spec::Outcome;

/// Length of a SHA-1 in hexadecimal digits; anything else is no script's before the rest is looked at.
const DIGEST_CHARS: usize = 40;

/// Reads `numkeys key... arg...` behind the script and runs it.
fn run(engine: &Engine, args: &[&[u8]], out: &mut Output, by_digest: bool, read_only: bool) -> Outcome {
    if by_digest && args[1].len() != DIGEST_CHARS {
        engine.host.find(args[1])?;
    }
    let count = integer(args[2])?;
    if count > args.len() as i64 - 3 {
        return Err(Fault::new("ERR Number of keys can't be greater than number of args"));
    }
    let count = usize::try_from(count).map_err(|_| Fault::new("ERR Number of keys can't be negative"))?;
    let (keys, argv) = args[3..].split_at(count);
    let script = if by_digest { engine.host.find(args[1])? } else { engine.host.load(args[1])? };
    engine.host.run(&script, &Invocation { keys, argv, read_only }, out)
}

pub fn eval(engine: &Engine, _: ClientId, args: &[&[u8]], out: &mut Output) -> Outcome {
    run(engine, args, out, false, false)
}

pub fn evalsha(engine: &Engine, _: ClientId, args: &[&[u8]], out: &mut Output) -> Outcome {
    run(engine, args, out, true, false)
}

pub fn eval_ro(engine: &Engine, _: ClientId, args: &[&[u8]], out: &mut Output) -> Outcome {
    run(engine, args, out, false, true)
}

pub fn evalsha_ro(engine: &Engine, _: ClientId, args: &[&[u8]], out: &mut Output) -> Outcome {
    run(engine, args, out, true, true)
}

pub fn load(engine: &Engine, _: ClientId, args: &[&[u8]], out: &mut Output) -> Outcome {
    let script = engine.host.load(args[2])?;
    out.bulk(script.digest.as_bytes());
    Ok(())
}

pub fn exists(engine: &Engine, _: ClientId, args: &[&[u8]], out: &mut Output) -> Outcome {
    out.array(args.len() - 2);
    for digest in &args[2..] {
        out.integer(i64::from(engine.host.find(digest).is_ok()));
    }
    Ok(())
}

pub fn flush(engine: &Engine, _: ClientId, args: &[&[u8]], out: &mut Output) -> Outcome {
    let known = args.len() == 2 || (args.len() == 3 && (is(args[2], "sync") || is(args[2], "async")));
    if !known {
        return Err(Fault::new("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    engine.host.flush();
    out.ok();
    Ok(())
}

/// A script that runs is killed from within its own watch over the sockets; here none is running.
pub fn kill(_: &Engine, _: ClientId, _: &[&[u8]], _: &mut Output) -> Outcome {
    Err(Fault::new("NOTBUSY No scripts in execution right now."))
}
