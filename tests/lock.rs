//! Released versions of scripts never change: `lua/scripts.lock` holds the digest of each, helpers included.
//!
//! `UPDATE_LOCK=1 cargo test --test lock` adds the versions that are missing, as a release does. It never changes a line.

use std::collections::BTreeMap;
use std::fmt::Write;

use oneseat::script::Script;
use oneseat::script::catalogue::Catalogue;
use oneseat::script::tree::Tree;

const LOCK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lua/scripts.lock");

/// Name and version.
type Label = (String, u32);

/// What a line of the file says.
#[derive(Debug, PartialEq, Eq)]
struct Locked {
    sha1: String,
    since: String,
}

fn parse(text: &str) -> BTreeMap<Label, Locked> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|(index, line)| {
            let at = format!("lua/scripts.lock:{}", index + 1);
            let [name, version, sha1, since] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{at}: name, version, digest and release expected");
            };
            let version = version.parse().unwrap_or_else(|_| panic!("{at}: `{version}` is no version"));
            assert_eq!(sha1.len(), 40, "{at}: `{sha1}` is no SHA-1");
            ((name.to_owned(), version), Locked { sha1: sha1.to_owned(), since: since.to_owned() })
        })
        .collect()
}

/// What is wrong with the scripts, given the lock.
fn violations(lock: &BTreeMap<Label, Locked>, catalogue: &Catalogue) -> Vec<String> {
    let label = |script: &Script| (script.name().to_owned(), script.version());
    let mut found = Vec::new();
    for ((name, version), locked) in lock {
        let Some(script) = catalogue.versions(name).iter().find(|script| script.version() == *version) else {
            found.push(format!(
                "lua/{name}/v{version}.lua was released with {} and is gone: bring it back",
                locked.since
            ));
            continue;
        };
        if script.sha1() != locked.sha1 || script.header.since != locked.since {
            let files: Vec<_> = script.bundle.parts().iter().map(|part| part.label.as_str()).collect();
            found.push(format!(
                "{name}@{version} was released with {} and has changed: undo it in {}, and put it into \
                 lua/{name}/v{}.lua, or into a helper of another name",
                locked.since,
                files.join(", "),
                version + 1
            ));
        }
    }
    let unlocked = catalogue.scripts().filter(|script| !lock.contains_key(&label(script)));
    found.extend(unlocked.map(|script| {
        format!(
            "{} is not in lua/scripts.lock: UPDATE_LOCK=1 cargo test --test lock adds it for the release",
            script.label()
        )
    }));
    found
}

fn add_missing(text: &mut String, catalogue: &Catalogue) {
    let lock = parse(text);
    for script in catalogue.scripts().filter(|script| !lock.contains_key(&(script.name().to_owned(), script.version())))
    {
        writeln!(text, "{} {} {} {}", script.name(), script.version(), script.sha1(), script.header.since)
            .expect("a text takes everything");
    }
}

#[test]
fn released_scripts_and_their_helpers_are_what_they_were() {
    let catalogue = Catalogue::embedded().expect("the built-in scripts are well-formed");
    let mut text = std::fs::read_to_string(LOCK).expect("lua/scripts.lock is there");
    if std::env::var_os("UPDATE_LOCK").is_some() {
        add_missing(&mut text, &catalogue);
        std::fs::write(LOCK, &text).expect("lua/scripts.lock can be written");
    }
    let found = violations(&parse(&text), &catalogue);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The shipped scripts with one file changed, against the lock of the unchanged ones.
fn violations_after(path: &str, change: impl Fn(&str) -> String) -> Vec<String> {
    let shipped = Tree::embedded();
    let changed = change(shipped.get(path).expect("the file is shipped"));
    let files = shipped.files().map(|(name, text)| (name, if name == path { changed.as_str() } else { text }));
    let catalogue = Catalogue::from_tree(&Tree::of(files)).expect("it is still well-formed");
    let mut lock = String::new();
    add_missing(&mut lock, &Catalogue::embedded().expect("the built-in scripts are well-formed"));
    violations(&parse(&lock), &catalogue)
}

#[test]
fn a_changed_script_is_named() {
    let found = violations_after("logout/v1.lua", |text| format!("{text}-- another line\n"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("logout@1 was released with 0.1.0 and has changed: undo it in "), "{found:?}");
    assert!(found[0].contains("lua/logout/v2.lua"), "{found:?}");
}

#[test]
fn a_changed_helper_names_every_script_that_is_made_of_it() {
    let found = violations_after("lib/now_ms.lua", |text| format!("{text}-- another line\n"));
    let users = Catalogue::embedded().expect("the built-in scripts are well-formed");
    let users = users.scripts().filter(|script| script.bundle.parts().iter().any(|part| part.path == "lib/now_ms.lua"));
    assert_eq!(found.len(), users.count(), "{found:?}");
    assert!(found.len() > 5 && found.iter().all(|line| line.contains("lua/lib/now_ms.lua")), "{found:?}");
}
