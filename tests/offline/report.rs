//! What the runner tells people and machines.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::cli::{folder, oneseat, text};
use crate::{failure, run_echo};

const MIXED: &str = "it('works <&> \"well\"', function() run('echo', { uid = '1' }) end)
it('fails', function()
  assert.equal('a\\27<b>', 'c')
end)";

#[test]
fn build_servers_read_the_results_as_junit_writes_them() {
    let folder = folder(MIXED);
    let output = oneseat(&["scripts", "--junit", "results.xml"], folder.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let xml = fs::read_to_string(folder.path().join("results.xml")).expect("it was written");
    for part in [
        "<testsuites name=\"oneseat\" tests=\"2\" failures=\"1\" skipped=\"0\">",
        "<testsuite name=\"scripts/echo/test.lua echo@1\" tests=\"2\" failures=\"1\" skipped=\"0\" time=",
        "<testcase classname=\"echo@1\" name=\"works &lt;&amp;&gt; &quot;well&quot;\" file=\"scripts/echo/test.lua\" line=\"1\"",
        "<failure message=\"expected &quot;a\u{fffd}&lt;b&gt;&quot;, got &quot;c&quot;\">scripts/echo/test.lua:3: expected",
    ] {
        assert!(xml.contains(part), "{part} is not in {xml}");
    }
    assert_well_formed(&xml);
}

/// Every element that begins ends, in order, and nothing stands in a place where it needs to be escaped.
fn assert_well_formed(xml: &str) {
    let mut open = Vec::new();
    let body = xml.split_once("?>").expect("it begins with a declaration").1;
    for piece in body.split('<').skip(1) {
        let (tag, between) = piece.split_once('>').unwrap_or_else(|| panic!("{piece} does not end"));
        assert!(!between.contains('>'), "{between} is not escaped");
        let name = tag.split([' ', '/']).find(|word| !word.is_empty()).expect("a tag has a name");
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name), "{xml}"),
            (_, false) => open.push(name),
            _ => {}
        }
        assert!(tag.matches('"').count() % 2 == 0, "{tag}");
        for entity in piece.split('&').skip(1) {
            assert!(
                ["lt;", "gt;", "amp;", "quot;", "#10;", "#9;"].iter().any(|known| entity.starts_with(known)),
                "{entity}"
            );
        }
    }
    assert!(open.is_empty(), "{open:?} did not end");
}

#[test]
fn what_a_script_answers_cannot_steer_the_terminal() {
    let report = failure("", "it('a\\nb', function() assert.equal('\\27[2J', 'c') end)");
    assert!(report.contains(" echo@1: a\\nb\n     expected \"\\u{1b}[2J\", got \"c\"\n"), "{report}");
}

#[test]
fn machines_read_one_json_document() {
    let folder = folder(MIXED);
    let output = oneseat(&["scripts", "--json", "--seed", "7"], folder.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is one document");
    assert_eq!(document["passed"], 1);
    assert_eq!(document["failed"], 1);
    assert_eq!(document["embedded_only"], 0);
    assert_eq!(document["seed"], 7);
    assert_eq!(document["coverage"]["percent"], 100.0);
    let test = &document["tests"][1];
    assert_eq!(test["file"], "scripts/echo/test.lua");
    assert_eq!((&test["line"], &test["script"], &test["name"]), (&2.into(), &"echo@1".into(), &"fails".into()));
    assert_eq!((&test["outcome"], &test["place"]), (&"failed".into(), &"scripts/echo/test.lua:3".into()));
    assert!(test["message"].as_str().is_some_and(|message| message.starts_with("expected")), "{test}");
    assert_eq!(document["tests"][0]["place"], serde_json::Value::Null);
}

#[test]
fn a_report_that_cannot_be_written_is_an_error() {
    let folder = folder("it('works', function() run('echo', { uid = '1' }) end)");
    let output = oneseat(&["scripts", "--junit", "nowhere/results.xml"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot write nowhere/results.xml"), "{output:?}");
}

#[test]
fn no_progress_is_drawn_where_nobody_looks() {
    let folder = folder("it('works', function() run('echo', { uid = '1' }) end)");
    let output = oneseat(&["scripts"], folder.path());
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn effects_are_compared_field_by_field() {
    let test = "it('x', function()
  local e = run('echo', { uid = '7', note = 'x' })
  assert.effects({ { name = 'reply', json = { uid = '7' } } }, e)
  assert.effects({ { name = 'reply', id = 1, json = { uid = '8', more = 'y' } } }, e)
end)";
    let report = failure("", test);
    let said = "FAIL lua/echo/test.lua:4 echo@1: x\n     at [1].id: expected 1, got 0\n     \
                at [1].json.more: expected \"y\", got nil\n     at [1].json.uid: expected \"8\", got \"7\"\n";
    assert!(report.contains(said), "{report}");
}

#[test]
fn effects_that_are_missing_or_too_many_are_told_by_name() {
    let report = failure("", "it('x', function() assert.effects({}, run('echo', { uid = '7' })) end)");
    assert!(report.contains("expected the effects \"\", got \"reply\"\n     expected 0 items, got 1"), "{report}");
    let two = "{ { name = 'reply' }, { name = 'kick', sid = sid(1) } }";
    let report = failure("", &format!("it('x', function() assert.effects({two}, run('echo', {{ uid = '7' }})) end)"));
    assert!(report.contains("expected the effects \"reply kick\", got \"reply\"\n"), "{report}");
    assert!(report.contains("at [2]: expected { name = \"kick\", sid = \""), "{report}");
    let (tally, report) = run_echo("", "it('x', function() assert.effects('reply', run('echo', { uid = '7' })) end)");
    assert_eq!((tally.passed, tally.failed), (1, 0), "names alone will do: {report}");
}

#[test]
fn a_change_is_tested_at_once_while_somebody_watches() {
    let folder = folder("it('fails', function() assert.equal(1, 2) end)");
    let mut process = Command::new(env!("CARGO_BIN_EXE_oneseat"))
        .args(["test", "scripts", "--watch"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let output = process.stdout.take().expect("it is piped");
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let next_summary = || loop {
        let line = lines.recv_timeout(Duration::from_secs(30)).expect("the runner goes on");
        if line.contains("passed, ") {
            return line;
        }
    };
    let first = next_summary();
    let mended = "it('works', function() run('echo', { uid = '1' }) end)";
    fs::write(folder.path().join("scripts/echo/test.lua"), mended).expect("a file");
    let second = next_summary();
    process.kill().expect("it runs until it is ended");
    process.wait().expect("it has ended");
    assert_eq!((first.as_str(), second.as_str()), ("0 passed, 1 failed", "1 passed, 0 failed"));
}
