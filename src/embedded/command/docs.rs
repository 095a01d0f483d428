//! COMMAND DOCS: what each command does and takes, from `help.txt`, which has a line `name; arguments; summary` each.
//!
//! The arguments are given as one text, where Redis gives a tree; `redis-cli` shows both alike.

use super::introspection::{find_spec, subcommands, top_level};
use crate::embedded::reply::Output;
use crate::embedded::spec::{Call, Outcome, Spec};

const HELP: &str = include_str!("help.txt");

/// Arguments and summary of a command.
fn help(name: &str) -> Option<(&'static str, &'static str)> {
    HELP.lines().find_map(|line| {
        let (arguments, summary) = line.strip_prefix(name)?.strip_prefix("; ")?.split_once("; ")?;
        Some((arguments, summary))
    })
}

pub fn command_docs(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let specs: Vec<&'static Spec> = match args.len() {
        2 => top_level().collect(),
        _ => args[2..].iter().filter_map(|name| find_spec(name)).collect(),
    };
    call.out.map(specs.len());
    for spec in specs {
        write_docs(call.out, spec);
    }
    Ok(())
}

fn write_docs(out: &mut Output, spec: &'static Spec) {
    let (arguments, summary) = help(spec.name).unwrap_or_default();
    let subcommands = subcommands(spec);
    let fields = 2 + usize::from(!arguments.is_empty()) + usize::from(!subcommands.is_empty());
    out.bulk(spec.name.as_bytes());
    out.map(fields);
    for (name, text) in [("summary", summary), ("group", spec.family.name())] {
        out.bulk(name.as_bytes());
        out.bulk(text.as_bytes());
    }
    if !subcommands.is_empty() {
        out.bulk(b"subcommands");
        out.map(subcommands.len());
        subcommands.into_iter().for_each(|spec| write_docs(out, spec));
    }
    if !arguments.is_empty() {
        out.bulk(b"arguments");
        out.array(1);
        out.map(2);
        for (name, text) in [("name", arguments), ("type", "string")] {
            out.bulk(name.as_bytes());
            out.bulk(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::table;

    #[test]
    fn every_command_has_its_line_and_every_line_its_command() {
        let missing: Vec<&str> =
            table::COMMANDS.iter().map(|spec| spec.name).filter(|name| help(name).is_none()).collect();
        assert!(missing.is_empty(), "help.txt lacks {missing:?}");
        assert_eq!(HELP.lines().count(), table::COMMANDS.len());
    }
}
