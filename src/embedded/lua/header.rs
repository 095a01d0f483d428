//! The shebang line of a script: which engine, which flags.

use crate::embedded::fault::Fault;

/// What a script says about itself in its first line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// It changes nothing; writing commands are refused.
    pub no_writes: bool,
    /// It may run although memory is short.
    pub allow_oom: bool,
}

/// Splits a script into its flags (none without a shebang) and its body, which keeps its line numbers.
pub fn split(source: &[u8]) -> Result<(Option<Flags>, &[u8]), Fault> {
    let Some(rest) = source.strip_prefix(b"#!") else {
        return Ok((None, source));
    };
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or(Fault::new("ERR Invalid script shebang"))?;
    let line = String::from_utf8_lossy(&rest[..end]).into_owned();
    let mut words = line.split_ascii_whitespace();
    // The engine stands right behind the mark.
    let engine = words.next().filter(|word| line.starts_with(word)).unwrap_or_default();
    if !engine.eq_ignore_ascii_case("lua") {
        return Err(Fault::new(format!("ERR Unexpected engine in script shebang: #!{engine}")));
    }
    let mut flags = Flags::default();
    for word in words {
        let names = word.strip_prefix("flags=");
        let names = names.ok_or_else(|| Fault::new(format!("ERR Unknown lua shebang option: {word}")))?;
        for name in names.split(',').filter(|_| !names.is_empty()) {
            match name {
                "no-writes" => flags.no_writes = true,
                "allow-oom" => flags.allow_oom = true,
                // These speak of replicas and clusters, which this store is not.
                "allow-stale" | "no-cluster" | "allow-cross-slot-keys" => {}
                _ => {
                    return Err(Fault::new(format!("ERR Unexpected flag in script shebang: {name}")));
                }
            }
        }
    }
    Ok((Some(flags), &rest[end..]))
}
