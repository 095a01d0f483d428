//! `tests/defects.md` is the promise; this holds it against the tests that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Defects of the system that this one replaces.
const DEFECTS: usize = 48;

/// Rows of the tables, by their first cell.
fn rows() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("tests/defects.md")).expect("the table is part of the project");
    let rows = text.lines().filter_map(|line| {
        let (key, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
        Some((key.trim().to_owned(), rest.to_owned()))
    });
    rows.collect()
}

/// Words in backticks that look like the name of a test.
fn named_in(row: &str) -> Vec<String> {
    let words = row.split('`').skip(1).step_by(2);
    words.filter(|word| word.contains('_') && !word.contains(['.', '/', ' '])).map(str::to_owned).collect()
}

/// Every test of this binary, and every `#[test]` of the library and of the other test binaries.
fn tests() -> BTreeSet<String> {
    let binary = std::env::current_exe().expect("a test knows its binary");
    let listed = Command::new(binary).arg("--list").output().expect("a test binary lists its tests").stdout;
    let listed = String::from_utf8(listed).expect("test names are text");
    let own = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    let mut names: BTreeSet<String> = own.flat_map(|path| path.split("::")).map(str::to_owned).collect();
    for file in sources(&root().join("src")).into_iter().chain(sources(&root().join("tests"))) {
        let text = fs::read_to_string(file).expect("sources are text");
        for after in text.split("#[test]").skip(1) {
            let name = after.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
            names.extend(name.map(|(name, _)| name.to_owned()));
        }
        // Macros that make tests of functions take their names.
        for after in text.split("\neverywhere!(").skip(1) {
            let list = after.split_once(");").map_or("", |(list, _)| list);
            names.extend(list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()));
        }
    }
    names
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is part of the project");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.partition(|path| path.is_dir());
    let mut found: Vec<PathBuf> =
        files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs")).collect();
    found.extend(folders.iter().flat_map(|folder| sources(folder)));
    found
}

#[test]
fn every_defect_and_every_guarantee_has_a_row() {
    let rows = rows();
    let keys = (1..=DEFECTS).map(|number| number.to_string()).chain((1..=12).map(|number| format!("G{number}")));
    for key in keys {
        let row = rows.get(&key).unwrap_or_else(|| panic!("tests/defects.md has no row {key}"));
        assert!(
            row.contains("Cannot occur:") || !named_in(row).is_empty(),
            "row {key} names neither a test nor a reason: {row}"
        );
    }
}

#[test]
fn every_test_that_the_table_names_exists() {
    let tests = tests();
    for (key, row) in rows() {
        for name in named_in(&row) {
            assert!(tests.contains(&name), "row {key} of tests/defects.md names `{name}`, which is no test");
        }
    }
}

#[test]
fn every_test_named_after_a_defect_is_in_its_row() {
    let rows = rows();
    for name in tests() {
        for (at, _) in name.match_indices("defect_") {
            let digits: String = name[at + "defect_".len()..].chars().take_while(char::is_ascii_digit).collect();
            let Ok(number) = digits.parse::<usize>() else { continue };
            let row = rows.get(&number.to_string()).unwrap_or_else(|| panic!("`{name}` names no defect of the table"));
            assert!(named_in(row).contains(&name), "row {number} of tests/defects.md does not name `{name}`");
        }
    }
}
