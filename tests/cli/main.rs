//! The command line from the outside: the real binary, its words, and its exit codes.

mod client;
mod operator;
mod process;
mod start;
mod users;

use process::{oneseat, run};
use std::io::Read;
use std::process::Stdio;

const SUBCOMMANDS: [&str; 12] =
    ["serve", "store", "migrate", "test", "ticket", "client", "who", "kick", "users", "nodes", "config", "version"];

#[test]
fn help_shows_an_example_and_the_exit_codes() {
    let help = run(&["--help"], &[]).ends_with(0).out;
    for part in SUBCOMMANDS.iter().chain(&[
        "Example:",
        "Exit codes:",
        "  5  serve, store, migrate: another process",
        " 70  a fault",
    ]) {
        assert!(help.contains(part), "{part}: {help}");
    }
    for subcommand in SUBCOMMANDS {
        let help = run(&[subcommand, "--help"], &[]).ends_with(0).out;
        assert!(help.contains("Example:") || subcommand == "version", "{help}");
    }
}

#[test]
fn the_version_is_told_in_three_ways() {
    let version = env!("CARGO_PKG_VERSION");
    for arguments in [&["version"][..], &["--version"]] {
        assert_eq!(run(arguments, &[]).ends_with(0).out, format!("oneseat {version}\n"));
    }
    assert_eq!(run(&["version", "--json"], &[]).json()["version"], version);
}

#[test]
fn wrong_arguments_end_with_2() {
    for arguments in [
        &["frobnicate"][..],
        &["--nonsense"],
        &["who"],
        &["who", "a|b"],
        &["who", ""],
        &["ticket", "1", "--class", "a b"],
        &["ticket", "1", "--ttl-ms", "soon"],
        &["client"],
        &["client", "--uid", "0"],
        &["client", "--uid", "9007199254740992"],
        &["client", "--uid", "1001", "--address", "nowhere"],
        &["who", "1", "--admin", "https://127.0.0.1:1"],
        &["who", "1", "--takeover"],
        &["users"],
        &["users", "show", "a|b"],
        &["users", "set", "1", "name"],
        &["users", "set", "1", "uid=2"],
        &["users", "set", "1"],
        &["users", "message", "1"],
        &["users", "import"],
        &["--takeover", "who", "1"],
    ] {
        run(arguments, &[]).ends_with(2);
    }
}

#[test]
fn the_template_is_printed_as_it_is() {
    let outcome = run(&["config"], &[("NODE__NAME", "not valid")]).ends_with(0);
    assert_eq!(outcome.out, include_str!("../../config/default.toml"));
}

#[test]
fn the_effective_configuration_has_sources_and_no_secrets() {
    let settings = [("ADMIN__TOKEN", "12345"), ("REDIS__URL", "redis://:12345@db.example")];
    let text = run(&["config", "--effective"], &settings).ends_with(0).out;
    assert!(text.contains("token = \"***\" # environment ONESEAT_ADMIN__TOKEN"), "{text}");
    assert!(text.contains("policy = \"takeover\" # default"), "{text}");
    let json = run(&["config", "--json"], &settings).json();
    assert_eq!(json["redis"]["url"]["value"], "redis://:***@db.example");
    assert_eq!(json["redis"]["url"]["source"], "environment ONESEAT_REDIS__URL");
    assert_eq!(json["node"]["beat_ms"]["value"], 2000);
    assert!(!text.contains("12345") && !json.to_string().contains("12345"), "{text}{json}");
}

#[test]
fn a_refused_configuration_ends_with_2_in_one_line() {
    let wrong = [("HEARTBEAT__LIMIT_MS", "1")];
    for arguments in [&["config", "--effective"][..], &["serve"], &["who", "1"], &[]] {
        run(arguments, &wrong).ends_with(2).says(&["heartbeat.limit_ms = 1", "ONESEAT_HEARTBEAT__LIMIT_MS", "twice"]);
    }
    let missing = &["--config", "no/such.toml", "config", "--effective"];
    run(missing, &[]).ends_with(2).says(&["no/such.toml", "No such file", "(hint: "]);
}

/// Story: `println!` ends the process with a panic when the reader of a pipe has gone away.
#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let mut child = oneseat(&["config"], &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut err).expect("UTF-8");
    assert_eq!((child.wait().expect("it is our child").code(), err.as_str()), (Some(0), ""));
}
