//! The settings from the outside: the embedded file, the layers over it, and what is refused with which words.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use oneseat::config::{ConfigError, Loaded, Policy, SECRETS, TEMPLATE, template};
use tempfile::TempDir;

/// Environment variables of a test.
fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    Loaded::read(None, variables(pairs))
}

/// A file with this text; it lives as long as the folder.
fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("oneseat.toml");
    std::fs::write(&path, text).expect("a file in it");
    (folder, path)
}

fn from_file(text: &str) -> Result<Loaded, ConfigError> {
    let (_folder, path) = file(text);
    Loaded::read(Some(&path), [])
}

/// The words of a refusal, with all its causes.
fn refusal(outcome: Result<Loaded, ConfigError>) -> String {
    let error = outcome.expect_err("the configuration is taken");
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        write!(text, ": {error}").expect("a String takes everything");
        cause = error.source();
    }
    text
}

#[test]
fn every_key_of_the_template_has_a_comment_above_it() {
    let lines: Vec<&str> = TEMPLATE.lines().collect();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.contains(" = ") && !line.starts_with('#')) {
        assert!(index > 0 && lines[index - 1].starts_with("# "), "config/default.toml:{}: {line}", index + 1);
    }
}

#[test]
fn the_template_alone_is_a_complete_and_valid_configuration() {
    let loaded = from_environment(&[]).expect("the defaults are valid");
    assert_eq!(loaded.config.seat.policy, Policy::Takeover);
    assert!(loaded.config.warnings().is_empty());
}

/// Unknown keys are refused and nothing has a default in Rust, so what the template alone satisfies has its keys.
#[test]
fn struct_and_template_have_the_same_keys() {
    assert!(!include_str!("../src/config/mod.rs").contains("serde(default"), "defaults stand in default.toml only");
    let shown = from_environment(&[]).expect("the defaults are valid").to_json();
    let (sections, known) = (shown.as_object().expect("an object"), template());
    assert_eq!(sections.keys().collect::<HashSet<_>>(), known.keys().collect());
    for (section, keys) in sections {
        let keys = keys.as_object().expect("an object");
        assert_eq!(keys.keys().collect::<HashSet<_>>(), known[section].keys().collect(), "[{section}]");
    }
}

#[test]
fn a_file_goes_over_the_defaults_and_the_environment_over_both() {
    let (_folder, path) = file("[node]\nname = \"from-file\"\nbeat_ms = 1500\n");
    let loaded = Loaded::read(Some(&path), variables(&[("ONESEAT_NODE__NAME", "from-env")])).expect("all valid");
    assert_eq!(loaded.config.node.name.as_str(), "from-env");
    assert_eq!(loaded.config.node.beat_ms, 1500);
    assert_eq!(loaded.config.node.lease_ms, 10_000);
    let shown = loaded.to_toml();
    for line in [
        "name = \"from-env\" # environment ONESEAT_NODE__NAME".to_owned(),
        format!("beat_ms = 1500 # file {}", path.display()),
        "lease_ms = 10000 # default".to_owned(),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
}

#[test]
fn what_is_shown_can_be_read_again() {
    let shown = from_environment(&[("ONESEAT_NODE__NAME", "n7")]).expect("valid").to_toml();
    let again = from_file(&shown).expect("what was shown is a configuration");
    assert_eq!(again.config.node.name.as_str(), "n7");
}

#[test]
fn a_text_that_looks_like_a_number_stays_a_text() {
    let pairs = [
        ("ONESEAT_ADMIN__TOKEN", "12345"),
        ("ONESEAT_NODE__NAME", "007"),
        ("ONESEAT_SEAT__CLASS", "1e3"),
        ("ONESEAT_DATA__DIR", "[1]"),
    ];
    let config = from_environment(&pairs).expect("all valid").config;
    assert_eq!(config.admin.token.expose(), "12345");
    assert_eq!(config.node.name.as_str(), "007");
    assert_eq!(config.seat.class.as_str(), "1e3");
    assert_eq!(config.data.dir.to_str(), Some("[1]"));
    let token = from_environment(&[("ONESEAT_ADMIN__TOKEN", "true")]).expect("valid").config.admin.token;
    assert_eq!(token.expose(), "true");
}

#[test]
fn secrets_are_masked_wherever_they_could_be_shown() {
    let pairs = [("ONESEAT_ADMIN__TOKEN", "hunter2"), ("ONESEAT_REDIS__URL", "redis://me:hunter2@db.example:6379/1")];
    let loaded = from_environment(&pairs).expect("all valid");
    let shown = [
        loaded.to_toml(),
        loaded.to_json().to_string(),
        format!("{:?}", loaded.config),
        loaded.config.redis.url.to_string(),
        loaded.config.admin.token.to_string(),
    ];
    for text in &shown {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(shown[0].contains("url = \"redis://me:***@db.example:6379/1\""), "{}", shown[0]);
    assert!(shown[0].contains("token = \"***\""), "{}", shown[0]);
    assert_eq!(loaded.config.redis.url.expose(), "redis://me:hunter2@db.example:6379/1");
}

#[test]
fn refusals_never_quote_a_secret() {
    for (name, value) in [
        ("ONESEAT_ADMIN__TOKEN", "hunter2 with spaces"),
        ("ONESEAT_ADMIN__TOKN", "hunter2"),
        ("ONESEAT_ADMIN_TOKEN", "hunter2"),
        ("ONESEAT_REDIS__URL", "hunter2"),
        ("ONESEAT_REDIS__URL", "reds://x:hunter2@h"),
        ("ONESEAT_REDIS__URL", "redis://:hunter2@h:port"),
    ] {
        let text = refusal(from_environment(&[(name, value)]));
        assert!(!text.contains("hunter2") && text.contains(name), "{text}");
    }
    for text in [
        "[admin]\ntoken = \"hunter2\n",
        "[admin]\ntoken = 'hunter2' x\n",
        "[admin]\ntoken = [\"hunter2\"]\n",
        "[admin]\ntokn = \"hunter2\"\n",
        "[admin]\ntoken = \"hunter2\"\ntoken = \"hunter2\"\n",
    ] {
        let refused = refusal(from_file(text));
        assert!(!refused.contains("hunter2") && refused.contains("oneseat.toml"), "{refused}");
    }
    assert_eq!(SECRETS, ["admin.token", "redis.url"], "a new secret belongs into this test");
}

#[test]
fn a_misspelt_key_is_refused_with_its_source_and_what_was_meant() {
    let text = refusal(from_file("[node]\nbeat = 5\n"));
    assert!(text.contains("node.beat (file "), "{text}");
    assert!(text.contains("did you mean `beat_ms`? allowed are address, beat_ms, capacity"), "{text}");
    let text = refusal(from_environment(&[("ONESEAT_GATWAY__LISTEN", "127.0.0.1:1")]));
    assert!(text.contains("(environment ONESEAT_GATWAY__LISTEN): unknown section; did you mean `gateway`?"), "{text}");
    let text = refusal(from_file("node = 5\n"));
    assert!(text.contains("write [node] and its keys below"), "{text}");
}

#[test]
fn one_underscore_too_few_is_noticed_but_foreign_variables_are_left_alone() {
    let text = refusal(from_environment(&[("ONESEAT_NODE_BEAT_MS", "5")]));
    assert!(text.contains("two underscores stand between section and key: ONESEAT_NODE__BEAT_MS"), "{text}");
    let foreign = [("ONESEAT_PORT", "tcp://10.0.0.1:8090"), ("ONESEAT_SERVICE_HOST", "10.0.0.1"), ("PATH", "/bin")];
    from_environment(&foreign).expect("what a container platform sets is no setting");
}

#[test]
fn several_faults_are_told_at_once() {
    let text = refusal(from_environment(&[
        ("ONESEAT_NODE__BEAT_MS", "0"),
        ("ONESEAT_GATEWAY__FRAME_BYTES_MAX", "2047"),
        ("ONESEAT_SEAT__TRAIL_MAX", "101"),
    ]));
    for key in ["node.beat_ms = 0", "gateway.frame_bytes_max = 2047", "seat.trail_max = 101"] {
        assert!(text.contains(key), "{text}");
    }
}

#[test]
fn values_out_of_range_or_of_the_wrong_kind_are_refused_with_what_is_allowed() {
    for (name, value, allowed) in [
        ("GATEWAY__LISTEN", "localhost", "an IP address and a port"),
        ("GATEWAY__LISTEN", "127.0.0.1", "an IP address and a port"),
        ("GATEWAY__FRAME_BYTES_MAX", "65536", "allowed are 2048 to 65535"),
        ("GATEWAY__LOGIN_TIMEOUT_MS", "-1", "a whole number"),
        ("GATEWAY__LOGIN_TIMEOUT_MS", "1.5", "a whole number"),
        ("GATEWAY__LOGIN_TIMEOUT_MS", "10s", "a whole number"),
        ("GATEWAY__LOGIN_TIMEOUT_MS", "99999999999", "1 to 31536000000 milliseconds"),
        ("GATEWAY__LOGIN_ATTEMPTS_MAX", "0", "1 to 4294967295"),
        ("KICK__GRACE_MS", "0", "1 to 31536000000 milliseconds"),
        ("NODE__NAME", "a b", "1 to 64 characters"),
        ("NODE__NAME", "", "1 to 64 characters"),
        ("NODE__ADDRESS", "example.com", "a host and a port"),
        ("SEAT__POLICY", "Takeover", "\"takeover\" or \"deny\""),
        ("SEAT__CLASS", "a:b", "1 to 64 characters"),
        ("LOGIN__WELCOME", "../x", "the name of a script"),
        ("REDIS__URL", "localhost:6379", "\"embedded\", redis://"),
        ("LOG__LEVEL", "loud", "error, warn, info"),
        ("LOG__FORMAT", "xml", "\"human\" or \"json\""),
        ("DATA__DIR", "", "the path of a folder"),
    ] {
        let name = format!("ONESEAT_{name}");
        let text = refusal(from_environment(&[(&name, value)]));
        assert!(text.contains(&format!("(environment {name})")) && text.contains(allowed), "{name}={value}: {text}");
    }
    let text = refusal(from_file("[admin]\ntoken = 12345\n"));
    assert!(text.contains("a text in quotes") && !text.contains("12345"), "{text}");
}

#[test]
fn combinations_that_cannot_work_are_refused() {
    for (pairs, allowed) in [
        (vec![("ONESEAT_ADMIN__LISTEN", "0.0.0.0:8091")], "any together with admin.token"),
        (vec![("ONESEAT_HEARTBEAT__LIMIT_MS", "19999")], "at least twice heartbeat.interval_ms, which is 10000"),
        (vec![("ONESEAT_NODE__LEASE_MS", "5999")], "at least three times node.beat_ms, which is 2000"),
        (vec![("ONESEAT_GATEWAY__MAILBOX_BYTES_MAX", "16387")], "at least 16388, one whole frame"),
        (vec![("ONESEAT_ADMIN__LISTEN", "127.0.0.1:8090")], "gateway.listen has the same"),
    ] {
        let text = refusal(from_environment(&pairs));
        assert!(text.contains(allowed), "{text}");
    }
    let open = [("ONESEAT_ADMIN__LISTEN", "0.0.0.0:8091"), ("ONESEAT_ADMIN__TOKEN", "s3cret-s3cret")];
    from_environment(&open).expect("with a token any address is allowed");
    for loopback in ["127.0.0.9:1", "[::1]:1"] {
        from_environment(&[("ONESEAT_ADMIN__LISTEN", loopback)]).expect("loopback needs no token");
    }
}

#[test]
fn what_surprises_is_told_but_allowed() {
    let config = from_environment(&[("ONESEAT_GATEWAY__LISTEN", "0.0.0.0:8090")]).expect("allowed").config;
    assert!(config.warnings()[0].contains("set node.address"), "{:?}", config.warnings());
    let named = [("ONESEAT_GATEWAY__LISTEN", "0.0.0.0:8090"), ("ONESEAT_NODE__ADDRESS", "chat.example.com:8090")];
    let config = from_environment(&named).expect("allowed").config;
    assert!(config.warnings().is_empty());
    assert_eq!(config.public_address(), "chat.example.com:8090");
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_refused_by_name_and_line() {
    let missing = std::path::Path::new("no/such/file.toml");
    let text = refusal(Loaded::read(Some(missing), []));
    assert!(text.contains("no/such/file.toml: No such file"), "{text}");
    let text = refusal(from_file("[node]\nname = \"a\"\nbeat_ms = = 5\n"));
    assert!(text.contains("oneseat.toml, line 3: not TOML"), "{text}");
}
