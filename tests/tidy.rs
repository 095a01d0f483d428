//! The laws of style that a machine can hold. A failure prints `file:line: what, do this instead`.
//!
//! The exceptions are sizes that were there before; they may only shrink, and the test says when one did.

#[path = "tidy/law.rs"]
mod law;
#[path = "tidy/source.rs"]
mod source;

use oneseat::error::Exit;
use oneseat::metric::Metric;
use oneseat::wire::ReplyCode;
use source::{Source, files, rust_files};

/// Files longer than the law allows, with their lines.
const LONG_FILES: &[(&str, usize)] = &[];
/// Functions longer than the law allows: file, name, lines.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

fn hold(violations: impl IntoIterator<Item = String>) {
    let violations: Vec<String> = violations.into_iter().collect();
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

fn hold_everywhere(law: impl Fn(&Source) -> Vec<String>) {
    let sources = rust_files();
    assert!(sources.len() > 20, "the walk found the project");
    hold(sources.iter().flat_map(law));
}

#[test]
fn imports_run_downward() {
    hold_everywhere(law::layers);
    hold_everywhere(law::every_module_has_a_layer);
}

#[test]
fn fred_mlua_and_axum_are_named_in_few_places() {
    hold_everywhere(law::reserved_crates);
}

#[test]
fn files_and_functions_are_short() {
    hold_everywhere(|source| law::file_length(source, LONG_FILES));
    hold_everywhere(|source| law::function_length(source, LONG_FUNCTIONS));
    let sources = rust_files();
    for path in LONG_FILES.iter().map(|(path, _)| path).chain(LONG_FUNCTIONS.iter().map(|(path, _, _)| path)) {
        assert!(sources.iter().any(|source| source.path == *path), "{path} is gone, remove its exception");
    }
}

#[test]
fn nothing_is_unfinished_or_hidden() {
    hold_everywhere(law::unfinished);
    hold_everywhere(law::empty_tests);
}

#[test]
fn no_test_sleeps_instead_of_waiting() {
    hold_everywhere(law::sleeping_tests);
}

#[test]
fn panics_name_the_invariant_that_rules_them_out() {
    hold_everywhere(law::panics);
}

#[test]
fn every_file_says_what_it_owns_and_is_named_after_it() {
    hold_everywhere(law::module_docs);
    hold_everywhere(law::file_names);
}

#[test]
fn every_key_of_the_configuration_has_a_comment() {
    hold(files(&["config"], "toml").iter().flat_map(|(path, text)| law::uncommented_keys(path, text)));
}

#[test]
fn nothing_names_a_path_of_one_machine() {
    let everything = files(&["src", "tests", "benches", "lua", "config", ".ci"], "");
    hold(everything.iter().flat_map(|(path, text)| law::local_paths(path, text)));
    let readme = include_str!("../README.md");
    hold(law::local_paths("README.md", readme));
}

/// What the README has to have as lines, or as starts of lines.
fn readme_has(rows: impl IntoIterator<Item = String>) {
    let readme: Vec<&str> = include_str!("../README.md").lines().collect();
    let is_there = |row: &String| readme.iter().any(|line| line.starts_with(row.as_str()));
    hold(
        rows.into_iter().filter(|row| !is_there(row)).map(|row| format!("README.md:1: a row is missing, add `{row}`")),
    );
}

#[test]
fn the_tables_of_the_readme_equal_the_enums() {
    readme_has(ReplyCode::ALL.iter().map(|code| format!("| {} | {} |", code.number(), code.word())));
    readme_has(Exit::ALL.iter().map(|exit| format!("| {} | {} |", exit.code(), exit.meaning())));
    let metric = |metric: &Metric| {
        let kind = format!("{:?}", metric.kind()).to_lowercase();
        let labels = metric.labels().join(", ");
        format!("| `{}` | {kind} | {labels} | {} |", metric.name(), metric.text()).replace("|  |", "| |")
    };
    readme_has(Metric::ALL.iter().map(metric));
}

/// The laws themselves, on files that break them.
mod broken {
    use super::*;

    fn found(law: impl Fn(&Source) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
        law(&Source::new(path, text))
    }

    #[test]
    fn an_upward_import_is_found_with_its_line() {
        let text = "//! X.\nuse crate::id::Uid;\nuse crate::gateway::Gateway;\nuse crate::{id, fleet::Lease};\n";
        let found = found(law::layers, "src/script/x.rs", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("src/script/x.rs:3: `script` imports `gateway`, imports run downward"),
            "{found:?}"
        );
    }

    #[test]
    fn imports_of_tests_and_in_comments_are_free() {
        let text = "//! crate::cli::X\n// use crate::cli;\n#[cfg(test)]\nmod tests {\n use crate::cli::X;\n}\n";
        assert!(found(law::layers, "src/script/x.rs", text).is_empty());
    }

    #[test]
    fn a_module_outside_the_table_is_found() {
        assert_eq!(found(law::every_module_has_a_layer, "src/novelty.rs", "//! X.\n").len(), 1);
    }

    #[test]
    fn reserved_crates_are_found_by_their_own_name_only() {
        let text = "//! X.\nuse fred::types::Value;\nlet fredx = a::fred::b();\n";
        assert_eq!(found(law::reserved_crates, "src/gateway/x.rs", text).len(), 1);
        assert!(found(law::reserved_crates, "src/fleet/channel.rs", text).is_empty());
    }

    #[test]
    fn lengths_are_counted_over_strings_comments_and_lifetimes() {
        let body = "    let c = '{'; let s = \"}\\\"{\"; let r = r#\"}\"{\"#; // }\n".repeat(70);
        let text = format!("fn a<'x>(x: &'x str) -> fn() {{\n{body}}}\nfn short() {{}}\n");
        let found = found(|source| law::function_length(source, &[]), "src/x.rs", &text);
        assert_eq!(found, ["src/x.rs:1: fn a has 72 lines, allowed are 70, split it"]);
    }

    #[test]
    fn an_exception_may_only_shrink() {
        let text = "x\n".repeat(600);
        let lines = |known| found(|source| law::file_length(source, &[("src/x.rs", known)]), "src/x.rs", &text);
        assert!(lines(600).is_empty());
        assert!(lines(601)[0].contains("lower or remove the exception"));
        assert!(lines(599)[0].contains("allowed are 500"));
    }

    #[test]
    fn unfinished_and_hidden_things_are_found() {
        let text =
            format!("//! X.\nfn f() {{ {}) }}\n// #[test]\n{}\n", concat!("to", "do!("), concat!("#[ign", "ore]"));
        assert_eq!(found(law::unfinished, "src/x.rs", &text).len(), 3);
        assert_eq!(found(law::unfinished, "src/x.rs", "\n").len(), 1);
        let empty = "#[test]\nfn does_a_lot() {\n    // nothing\n}\nfn f() {}\n";
        assert_eq!(
            found(law::empty_tests, "tests/x.rs", empty),
            ["tests/x.rs:2: test does_a_lot is empty, write or remove it"]
        );
    }

    #[test]
    fn a_sleep_is_found_unless_it_paces_a_bounded_wait() {
        let pause = concat!("std::thread::sle", "ep(ms)");
        let text = format!(
            "fn settled() {{ {pause} }}\nfn wait_until() {{ loop {{ {pause} }} }}\nfn wait_long() {{ {pause} }}\n"
        );
        let found = found(law::sleeping_tests, "tests/x.rs", &text);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_panic_without_a_reason_is_found() {
        let text =
            format!("//! X.\nlet a = b{};\nlet c = d{}\"ok\");\n", concat!(".unw", "rap()"), concat!(".exp", "ect("));
        assert_eq!(found(law::panics, "src/x.rs", &text).len(), 2);
        assert!(found(law::panics, "tests/x.rs", &text).is_empty());
    }

    #[test]
    fn a_key_without_a_comment_is_found() {
        assert_eq!(law::uncommented_keys("c.toml", "[a]\n# Fine.\nb = 1\nc = 2\n").len(), 1);
    }
}
