//! The store as a whole: time, size, settings, memory.

use super::is;
use crate::embedded::config::Config;
use crate::embedded::core::Core;
use crate::embedded::fault::Fault;
use crate::embedded::glob;
use crate::embedded::spec::{Call, Outcome};

impl Core {
    /// Refuses a command that may need memory when there is none left.
    pub fn check_memory(&self) -> Outcome {
        if self.config.maxmemory == 0 || self.script.ignores_memory || self.used_memory() <= self.config.maxmemory {
            return Ok(());
        }
        Err(Fault::new("OOM command not allowed when used memory > 'maxmemory'."))
    }

    /// Refuses a writing command while the append-only file cannot be written.
    pub fn check_log(&self) -> Outcome {
        match &self.log.trouble {
            None => Ok(()),
            Some(why) => Err(Fault::new(format!("MISCONF Errors writing to the AOF file: {why}"))),
        }
    }

    /// Bytes that keys and scripts take.
    pub fn used_memory(&self) -> u64 {
        (self.db.bytes() + self.lua_bytes) as u64
    }

    /// Bytes that the whole process holds in memory, as the kernel counts them.
    pub fn resident_memory(&self) -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        pages * 4096
    }
}

pub fn time(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    let now = call.core.now_us;
    call.out.array(2);
    call.out.bulk((now / 1_000_000).to_string().as_bytes());
    call.out.bulk((now % 1_000_000).to_string().as_bytes());
    Ok(())
}

pub fn dbsize(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    call.out.count(call.core.db.len());
    Ok(())
}

pub fn flush(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let known = args.len() == 1 || (args.len() == 2 && (is(args[1], "sync") || is(args[1], "async")));
    if !known {
        return Err(Fault::SYNTAX);
    }
    call.core.db.clear();
    call.out.ok();
    Ok(())
}

pub fn bgrewriteaof(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    let log = &mut call.core.log;
    if !call.core.config.append_only {
        return Err(Fault::new("ERR This store keeps no append-only file"));
    }
    if log.rewriting {
        return Err(Fault::new("ERR Background append only file rewriting already in progress"));
    }
    log.rewrite_asked = true;
    call.out.status(b"Background append only file rewriting started");
    Ok(())
}

pub fn role(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    call.out.array(3);
    call.out.bulk(b"master");
    call.out.integer(0);
    call.out.array(0);
    Ok(())
}

/// There are no replicas to wait for.
pub fn wait(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    super::integer(args[1])?;
    let timeout = super::integer(args[2]).map_err(|_| Fault::new("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(Fault::new("ERR timeout is negative"));
    }
    call.out.integer(0);
    Ok(())
}

pub fn cluster(_: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    Err(Fault::new("ERR This instance has cluster support disabled"))
}

pub fn shutdown(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let known = |arg: &&&[u8]| ["nosave", "save", "now", "force"].iter().any(|word| is(arg, word));
    if args[1..].iter().filter(known).count() != args.len() - 1 {
        return Err(Fault::SYNTAX);
    }
    call.core.shutdown = true;
    call.core.client().closing = true;
    Ok(())
}

pub fn memory_usage(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    match &args[3..] {
        [] => {}
        // Sizes are counted as values change, so the number of samples is only checked.
        [word, samples] if is(word, "samples") => {
            super::positive(samples)?;
        }
        _ => return Err(Fault::SYNTAX),
    }
    match call.core.db.bytes_of(args[2]) {
        Some(bytes) => call.out.count(bytes),
        None => call.out.null(),
    }
    Ok(())
}

pub fn config_get(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let patterns: Vec<Vec<u8>> = args[2..].iter().map(|arg| arg.to_ascii_lowercase()).collect();
    let wanted = |name: &str| patterns.iter().any(|pattern| glob::matches(pattern, name.as_bytes()));
    let entries: Vec<_> = call.core.config.entries().into_iter().filter(|(name, _)| wanted(name)).collect();
    call.out.map(entries.len());
    for (name, value) in entries {
        call.out.bulk(name.as_bytes());
        call.out.bulk(value.as_bytes());
    }
    Ok(())
}

pub fn config_set(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    if !args.len().is_multiple_of(2) {
        return Err(Fault::arity("config|set"));
    }
    // All of them or none.
    let mut config = call.core.config.clone();
    let mut names = Vec::new();
    for pair in args[2..].chunks_exact(2) {
        let name = String::from_utf8_lossy(pair[0]).to_ascii_lowercase();
        config.set(&name, pair[1])?;
        if names.contains(&name) {
            return Err(Config::refusal(&name, "duplicate parameter"));
        }
        names.push(name);
    }
    call.core.db.notify = config.notify;
    call.core.config = config;
    call.out.ok();
    Ok(())
}

pub fn config_resetstat(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    call.core.stats = Default::default();
    call.out.ok();
    Ok(())
}
