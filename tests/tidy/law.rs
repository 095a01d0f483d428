//! The laws. Each takes one file and gives its violations as `file:line: what, do this instead`.

use super::source::Source;

/// Longest file and longest function, in lines.
pub const FILE_LINES_MAX: usize = 500;
pub const FUNCTION_LINES_MAX: usize = 70;

/// Who may import what. A module may always import itself; `base` stands for the modules of `BASE`.
const LAYERS: [(&str, &[&str]); 11] = [
    ("embedded", &[]),
    ("wire", &["base"]),
    ("session", &["base"]),
    ("script", &["base"]),
    ("gateway", &["base", "wire", "session", "script"]),
    ("fleet", &["base", "session", "script", "gateway"]),
    ("offline", &["base", "embedded", "script"]),
    ("admin", &["base", "wire", "session", "script", "gateway", "fleet"]),
    ("serve", &["base", "embedded", "session", "script", "gateway", "fleet", "admin"]),
    ("cli", &["base", "wire", "embedded", "script", "offline", "admin", "serve"]),
    ("main", &["cli"]),
];
const BASE: [&str; 10] = ["clock", "config", "digest", "error", "fault", "id", "log", "metric", "readiness", "reason"];

/// Crates that only some places may name.
const RESERVED: [(&str, &[&str]); 3] = [
    (
        "fred",
        &[
            "src/script/caller.rs",
            "src/script/failure.rs",
            "src/script/link.rs",
            "src/script/redis.rs",
            "src/script/rescue.rs",
            "src/script/transfer.rs",
            "src/fleet/channel.rs",
        ],
    ),
    ("mlua", &["src/embedded/", "src/offline/"]),
    ("axum", &["src/admin/"]),
];

/// Code that has no place in a finished project, and what to do instead. Written in halves, so that this file passes.
const BANNED: [(&str, &str); 6] = [
    (concat!("to", "do!("), "build it or leave it out"),
    (concat!("unimple", "mented!("), "build it or leave it out"),
    (concat!("d", "bg!("), "remove it, or log with tracing"),
    (concat!("FIX", "ME"), "fix it, or say what is so and why"),
    (concat!("TO", "DO"), "do it, or say what is so and why"),
    (concat!("X", "XX"), "say what is so and why"),
];

/// Words that say nothing about what a file holds.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "helper", "helpers", "manager", "data", "info", "misc"];

fn violation(source: &Source, line: usize, what: &str, instead: &str) -> String {
    format!("{}:{line}: {what}, {instead}", source.path)
}

/// Law 1: imports run downward.
pub fn layers(source: &Source) -> Vec<String> {
    let Some(own) = module_of(&source.path) else { return Vec::new() };
    let mut found = Vec::new();
    for (line, code) in source.product_lines() {
        for name in names_after(code, "crate::") {
            if is_module(name) && !may_import(own, name) {
                found.push(violation(
                    source,
                    line,
                    &format!("`{own}` imports `{name}`"),
                    "imports run downward: turn the dependency round or move the type down",
                ));
            }
        }
    }
    found
}

fn module_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("src/")?;
    let name = rest.split('/').next()?;
    Some(name.strip_suffix(".rs").unwrap_or(name)).filter(|name| *name != "lib")
}

fn is_base(name: &str) -> bool {
    BASE.contains(&name)
}

fn is_module(name: &str) -> bool {
    is_base(name) || LAYERS.iter().any(|(module, _)| *module == name)
}

fn may_import(own: &str, name: &str) -> bool {
    if own == name || is_base(own) && is_base(name) {
        return true;
    }
    let allowed = LAYERS.iter().find(|(module, _)| *module == own).map_or(&[] as &[&str], |(_, allowed)| allowed);
    allowed.contains(&name) || is_base(name) && allowed.contains(&"base")
}

/// Every name that follows `prefix`, also those in braces: `crate::{a::B, c}`.
fn names_after<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let name = |text: &'a str| {
        let text = text.trim_start();
        &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())]
    };
    let starts = code.match_indices(prefix).map(|(at, _)| &code[at + prefix.len()..]);
    starts
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default().split(',').map(name).collect(),
            None => vec![name(rest)],
        })
        .collect()
}

/// A module that no line of the table speaks of would escape the first law.
pub fn every_module_has_a_layer(source: &Source) -> Vec<String> {
    match module_of(&source.path) {
        Some(name) if !is_module(name) => {
            vec![violation(source, 1, &format!("`{name}` is in no layer"), "give it a place in tests/tidy/law.rs")]
        }
        _ => Vec::new(),
    }
}

/// Law 1: some crates are named in few places.
pub fn reserved_crates(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (line, code) in source.product_lines().filter(|_| source.path.starts_with("src/")) {
        for (name, places) in RESERVED {
            let is_named = names_before(code, "::").contains(&name);
            if is_named && !places.iter().any(|place| source.path.starts_with(place)) {
                let instead = format!("only {} may, use what they offer", places.join(", "));
                found.push(violation(source, line, &format!("names {name}"), &instead));
            }
        }
    }
    found
}

fn names_before<'a>(code: &'a str, suffix: &str) -> Vec<&'a str> {
    let name = |at: usize| {
        let start = code[..at].rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |index| index + 1);
        // `a::b::` names a crate only with `a`.
        (!code[..start].ends_with("::")).then_some(&code[start..at])
    };
    code.match_indices(suffix).filter_map(|(at, _)| name(at)).collect()
}

/// Law 2: files are short. `exceptions` are files that were longer when the law came; their size may only shrink.
pub fn file_length(source: &Source, exceptions: &[(&str, usize)]) -> Vec<String> {
    let lines = source.text.lines().count();
    let excepted = exceptions.iter().find(|(path, _)| *path == source.path).map(|(_, lines)| *lines);
    ratchet(lines, FILE_LINES_MAX, excepted)
        .map(|(what, instead)| violation(source, lines, &what, &instead))
        .into_iter()
        .collect()
}

/// Law 2: functions are short.
pub fn function_length(source: &Source, exceptions: &[(&str, &str, usize)]) -> Vec<String> {
    let check = |function: &super::source::Function| {
        let is_this = |(path, name, _): &&(&str, &str, usize)| *path == source.path && *name == function.name;
        let excepted = exceptions.iter().find(is_this).map(|(_, _, lines)| *lines);
        ratchet(function.lines, FUNCTION_LINES_MAX, excepted)
            .map(|(what, instead)| violation(source, function.line, &format!("fn {} {what}", function.name), &instead))
    };
    source.functions().iter().filter_map(check).collect()
}

fn ratchet(lines: usize, lines_max: usize, excepted: Option<usize>) -> Option<(String, String)> {
    match excepted {
        Some(known) if lines < known => {
            Some((format!("has {lines} lines, its exception says {known}"), "lower or remove the exception".to_owned()))
        }
        Some(known) if lines == known => None,
        _ if lines > lines_max => Some((format!("has {lines} lines, allowed are {lines_max}"), "split it".to_owned())),
        _ => None,
    }
}

/// Law 7: nothing unfinished, nothing hidden.
pub fn unfinished(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    if source.text.trim().is_empty() {
        found.push(violation(source, 1, "the file is empty", "remove it"));
    }
    for (index, line) in source.text.lines().enumerate() {
        for (word, instead) in BANNED.iter().filter(|(word, _)| line.contains(word)) {
            found.push(violation(source, index + 1, &format!("`{}`", word.trim_end_matches('(')), instead));
        }
        let comment = line.trim_start().strip_prefix("//").map(str::trim_start);
        if comment.is_some_and(|text| text.starts_with("#[test]") || text.starts_with("#[tokio::test")) {
            found.push(violation(source, index + 1, "a test is commented out", "repair or remove it"));
        }
        if line.trim() == concat!("#[ign", "ore]") {
            found.push(violation(source, index + 1, "a test is left out without a reason", "say why, or run it"));
        }
    }
    found
}

/// Law 7: a test tests.
pub fn empty_tests(source: &Source) -> Vec<String> {
    let is_empty = |function: &super::source::Function| function.is_test && function.body.trim().is_empty();
    let empty = |function: super::source::Function| {
        violation(source, function.line, &format!("test {} is empty", function.name), "write or remove it")
    };
    source.functions().into_iter().filter(is_empty).map(empty).collect()
}

/// Law 7: a pause in a test that stands for waiting is slow on a fast machine and wrong on a slow one. A function that
/// looks again and again until something is so, with a deadline, is named `wait_...` and may pause between two looks.
pub fn sleeping_tests(source: &Source) -> Vec<String> {
    let start = if source.is_test_file() { 0 } else { source.tests_from() };
    let mut found = Vec::new();
    for function in source.functions().iter().filter(|function| function.line >= start) {
        let is_polling =
            function.name.starts_with("wait_") && ["loop", "while"].iter().any(|w| function.body.contains(w));
        if !is_polling && function.body.contains("sleep(") {
            found.push(violation(
                source,
                function.line,
                &format!("fn {} sleeps", function.name),
                "wait for what should happen, in a function named wait_... with a deadline, or set a paused clock",
            ));
        }
    }
    found
}

/// Errors of the world are handled; a panic needs a reason that names what makes it impossible.
pub fn panics(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let lines: Vec<&str> = source.text.lines().collect();
    for (line, code) in source.product_lines() {
        if code.contains(concat!(".unw", "rap()")) {
            found.push(violation(source, line, "unwraps", "handle it, or `expect` with the invariant"));
        }
        let Some(at) = code.find(concat!(".exp", "ect(")) else { continue };
        let reason: String = lines[line - 1].chars().skip(at).collect();
        let reason = reason.split('"').nth(1).or_else(|| lines.get(line)?.split('"').nth(1)).unwrap_or_default();
        if reason.split_whitespace().count() < 3 {
            found.push(violation(source, line, "expects without a reason", "name the invariant in a few words"));
        }
    }
    found
}

/// A file says what it owns before anything else.
pub fn module_docs(source: &Source) -> Vec<String> {
    match source.text.starts_with("//! ") {
        true => Vec::new(),
        false => vec![violation(source, 1, "no module doc", "say in `//!` what the file owns and must never do")],
    }
}

/// A file is named after what it holds.
pub fn file_names(source: &Source) -> Vec<String> {
    let parts = source.path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
    parts
        .filter(|part| EMPTY_NAMES.contains(part))
        .map(|part| violation(source, 1, &format!("`{part}` says nothing"), "name it after the noun that it holds"))
        .collect()
}

/// What only exists on the machine of the one who wrote it.
pub fn local_paths(path: &str, text: &str) -> Vec<String> {
    const LOCAL: [&str; 4] =
        [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];
    let lines = text.lines().enumerate();
    lines
        .flat_map(|(index, line)| {
            LOCAL.iter().filter(move |local| line.contains(*local)).map(move |local| (index, local))
        })
        .map(|(index, local)| format!("{path}:{}: names {local}, use a path inside the project", index + 1))
        .collect()
}

/// Law 6: every key has a comment above it.
pub fn uncommented_keys(path: &str, toml: &str) -> Vec<String> {
    let lines: Vec<&str> = toml.lines().collect();
    let is_key = |line: &str| line.contains('=') && !line.starts_with('#') && !line.starts_with('[');
    (0..lines.len())
        .filter(|index| is_key(lines[*index]) && !(*index > 0 && lines[index - 1].starts_with("# ")))
        .map(|index| {
            format!("{path}:{}: a key without a comment, say above it what it means and in which unit", index + 1)
        })
        .collect()
}
