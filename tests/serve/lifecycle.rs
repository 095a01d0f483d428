//! Versions of scripts on a running fleet: pushed, activated, rolled back, and who did it.

use std::fs;

use serde_json::json;

use crate::support::rules::{self, Rules};
use crate::support::{RedisServer, Server, Setup, StoreKind, on_both_stores, wait_until};

on_both_stores!(
    g9_a_version_is_pushed_activated_and_rolled_back_while_clients_stay,
    g9_a_version_never_changes,
    g9_a_version_whose_tests_fail_is_not_pushed,
    g9_a_contract_is_kept,
    who_changed_what_is_remembered,
    decisions_name_their_version,
    the_fleet_is_exported_and_shown,
);

fn g9_a_version_is_pushed_activated_and_rolled_back_while_clients_stay(store: StoreKind) {
    let server = Setup::new(store).start();
    let mut before = server.session(1001);
    assert_eq!(server.decided_by(1001), "login@2");

    let pushed = server.scripts(&["push", &Rules::new().login(3, "-- as before")]).done();
    assert!(pushed.contains("login@3 is kept for the fleet; it is not active"), "{pushed}");
    server.session(1002).beat();
    assert_eq!(server.scripts_json(&["status"])["nodes"][0]["follows"], true);

    let activated = server.scripts_json(&["activate", "login", "3"]);
    assert_eq!(
        activated["nodes"],
        json!([{ "name": "t1", "follows": true, "revision": activated["revision"], "trouble": "" }])
    );
    let during = server.session(1003);
    assert_eq!(server.decided_by(1003), "login@3");

    let told = server.scripts(&["rollback", "login"]).done();
    assert_eq!(told, "login@2 is active again, instead of login@3\nt1: follows\n");
    let _after = server.session(1004);
    assert_eq!(server.decided_by(1004), "login@2");
    before.beat();
    drop(during);
    let nothing = server.scripts(&["rollback", "login"]).refused(1);
    assert!(nothing.contains("nothing was active before login@2"), "{nothing}");
}

fn g9_a_version_never_changes(store: StoreKind) {
    let server = Setup::new(store).start();
    let rules = Rules::new();
    server.scripts(&["push", &rules.login(3, "-- one text"), "--who", "ann"]).done();
    let again = server.scripts(&["push", &rules.login(3, "-- one text"), "--who", "bob"]).done();
    assert!(again.contains("already"), "{again}");
    let other = server.scripts(&["push", &rules.login(3, "-- another text")]).refused(1);
    assert!(other.contains("login@3 is taken by another text, of ann"), "{other}");
    let builtin = server.scripts(&["push", &rules.login(2, "-- another text")]).refused(1);
    assert!(builtin.contains("login@2 is taken by another text, of oneseat"), "{builtin}");

    // What was changed in the store behind everybody's back is not run.
    server.look().run(&["HSET", "os:{dir}:sources", "login@3", r#"{"text":"return 1"}"#]);
    let damaged = server.scripts(&["activate", "login", "3"]).refused(1);
    assert!(damaged.contains("is not the one that was pushed; nothing was changed"), "{damaged}");
    server.assert_serves(1001);
}

fn g9_a_version_whose_tests_fail_is_not_pushed(store: StoreKind) {
    let server = Setup::new(store).start();
    let rules = Rules::new();
    let path = rules.login(3, "if uid ~= '' then return { 1, { 'reply', 1006, cjson.encode({ error = 1102 }) } } end");
    let errors = server.scripts(&["push", &path]).refused(1);
    assert!(errors.contains("tests of login@3 failed; it was not pushed"), "{errors}");
    assert!(errors.contains("lua/login/test.lua:"), "the place of a failure: {errors}");
    let unknown = server.scripts(&["activate", "login", "3"]).refused(1);
    assert!(unknown.contains("the fleet keeps no login@3; nothing was changed"), "{unknown}");

    // A result that somebody wrote into the store by hand helps no more than none.
    server.scripts(&["push", &rules.login(4, "-- fine")]).done();
    let release = server.look().run(&["HGET", "os:{dir}:releases", "login@4"]);
    let failed = release.as_str().expect("a release").replace(r#""failed":0"#, r#""failed":2"#);
    server.look().run(&["HSET", "os:{dir}:releases", "login@4", &failed]);
    let refused = server.scripts(&["activate", "login", "4"]).refused(1);
    assert!(refused.contains("2 tests of login@4 failed"), "{refused}");
}

fn g9_a_contract_is_kept(store: StoreKind) {
    let server = Setup::new(store).start();
    let rules = Rules::new();
    let path = rules.login(3, "-- fewer");
    let text = fs::read_to_string(&path)
        .expect("it was written")
        .replace("-- @arg version text this script's name and version\n", "")
        .replace(", welcome, version =", ", welcome =")
        .replace(", ARGV[14]\n", "\n")
        .replace("= ARGV[15], ARGV[16]", "= ARGV[14], ARGV[15]");
    fs::write(&path, text).expect("it is ours");
    let errors = server.scripts(&["push", &path]).refused(2);
    assert!(errors.contains("v3.lua:1: the arguments have to begin with those of login v2"), "{errors}");

    let lifecycle = server.scripts(&["activate", "push", "1"]).refused(2);
    assert!(lifecycle.contains("push always runs as it comes with the binary"), "{lifecycle}");
    let nobody = server.scripts(&["activate", "assign", "1", "--percent", "5"]).refused(2);
    assert!(nobody.contains("assign works on no user"), "{nobody}");
    let unknown = server.scripts(&["rollback", "nobody"]).refused(1);
    assert!(unknown.contains("nobody"), "{unknown}");
}

fn who_changed_what_is_remembered(store: StoreKind) {
    let server = Setup::new(store).start();
    server.scripts(&["push", &Rules::new().login(3, "-- as before"), "--who", "ann"]).done();
    server.scripts(&["activate", "login", "3", "--percent", "10", "--who", "bob"]).done();
    server.scripts(&["activate", "login", "3", "--who", "bob"]).done();
    server.scripts(&["rollback", "login", "--who", "eve"]).done();
    let history = server.scripts_json(&["history"]);
    let entries = history["history"].as_array().expect("entries");
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            let word = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
            (word("who"), word("event"), entry["version"].as_u64(), entry["tests"]["failed"].as_u64())
        })
        .collect();
    let expected =
        [("eve", "rolled_back", 2, 0), ("bob", "activated", 3, 0), ("bob", "canary", 3, 0), ("ann", "pushed", 3, 0)];
    let expected =
        expected.map(|(who, event, version, failed)| (who.to_owned(), event.to_owned(), Some(version), Some(failed)));
    assert_eq!(told, expected);
    let table = server.scripts(&["history", "--limit", "1"]).done();
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.contains("eve") && table.contains("rolled back"), "{table}");
}

/// Whoever asks later why somebody lost a seat finds the version that took it.
fn decisions_name_their_version(store: StoreKind) {
    let server = Setup::new(store).start();
    server.change_login(3, "-- as before");
    let mut old = server.session(1001);
    let _new = server.session(1001);
    assert_eq!(old.client.expect(1021)["script"], "login@3");
    let (status, _) = server.admin.kick(1001, "");
    assert_eq!(status, 200);
    let trail = server.admin.get("/v1/users/1001")["trail"].as_array().expect("a trail").clone();
    let versions: Vec<_> = trail.iter().map(|entry| (entry["event"].clone(), entry["version"].clone())).collect();
    let expected = [("kicked", "kick@2"), ("taken", "login@3"), ("displaced", "login@3"), ("taken", "login@3")];
    assert_eq!(versions, expected.map(|(event, version)| (json!(event), json!(version))));
    let log = server.log();
    let names = |what: &str, script: &str| log.lines().any(|line| line.contains(what) && line.contains(script));
    assert!(names("a login was answered", "login@3"), "{log}");
    assert!(names("a session was kicked", "kick@2"), "{log}");
}

fn the_fleet_is_exported_and_shown(store: StoreKind) {
    let server = Setup::new(store).start();
    let code = "-- a line of this test";
    server.scripts(&["push", &Rules::new().login(3, code)]).done();
    let target = tempfile::tempdir().expect("a folder");
    let folder = target.path().join("mine");
    let folder = folder.to_str().expect("a plain path");
    server.scripts(&["export", folder]).done();
    for file in
        ["README.md", "lib/now_ms.lua", "login/v1.lua", "login/v2.lua", "login/v3.lua", "login/test.lua", "push/v1.lua"]
    {
        assert!(target.path().join("mine").join(file).is_file(), "{file}");
    }
    let again = server.scripts(&["export", folder]).refused(2);
    assert!(again.contains("is there already"), "{again}");
    let tested = server.run(&["test", folder, "--filter", "takeover"]).done();
    assert!(tested.contains("login@3"), "an exported folder can be tested as it is: {tested}");

    assert!(server.scripts(&["show", "login@3"]).done().contains(code));
    let active = server.scripts(&["show", "login"]).done();
    assert!(active.starts_with("-- login v2:"), "{active}");
    assert!(server.scripts(&["show", "login@3", "--bundle"]).done().contains("local function take_seat("));
    let diff = server.scripts(&["diff", "login", "2", "3"]).done();
    assert!(diff.contains("+-- a line of this test") && diff.contains("--- lua/login/v2.lua"), "{diff}");
    let list = server.scripts_json(&["list"]);
    let state = |version: u64| {
        let entries = list["versions"].as_array().expect("versions");
        let entry = entries.iter().find(|entry| entry["name"] == "login" && entry["version"] == version);
        entry.expect("it is listed")["state"].clone()
    };
    assert_eq!((state(2), state(3)), (json!("active"), json!("")));
    for odd in
        [&["show", "login@x"][..], &["activate", "login", "two"], &["activate", "login", "3", "--percent", "100"]]
    {
        server.scripts(odd).refused(2);
    }
    server.scripts(&["show", "nobody"]).refused(1);
    server.scripts(&["diff", "login", "2", "7"]).refused(1);
}

/// Scripts can be written where no server runs.
#[test]
fn without_a_server_the_scripts_of_the_binary_are_exported() {
    let mut server = Setup::new(StoreKind::Embedded).start();
    server.kill();
    let target = tempfile::tempdir().expect("a folder");
    let told = server.scripts(&["export", target.path().to_str().expect("a plain path")]).done();
    assert!(told.contains("from this binary"), "{told}");
    let status = server.scripts(&["status"]).refused(8);
    assert!(status.contains("no server has its embedded store"), "{status}");
}

/// A new node finds what the others run, without any file.
#[test]
fn a_node_that_starts_later_takes_the_versions_of_the_fleet() {
    let redis = RedisServer::start();
    let node = |name: &str| Setup::at(&redis.url()).set("node.name", name).start();
    let one: Server = node("t1");
    one.change_login(3, "-- as before");
    let two = node("t2");
    let _session = two.session(1001);
    assert_eq!(two.decided_by(1001), "login@3");
    wait_until("both nodes have said what they run", || {
        let status = one.scripts_json(&["status"]);
        let nodes = status["nodes"].as_array().expect("nodes").clone();
        (nodes.len() == 2 && nodes.iter().all(|node| node["follows"] == true)).then_some(())
    });
    assert_eq!(one.scripts_json(&["rollback", "login"])["nodes"].as_array().expect("nodes").len(), 2);
}

/// What can be said without running anything, for people and for machines.
#[test]
fn lint_lists_all_problems_with_their_places() {
    let server = Setup::new(StoreKind::Embedded).start();
    let sound = server.scripts(&["lint"]).done();
    assert!(sound.ends_with(" versions, no problems\n"), "{sound}");
    let rules = Rules::new();
    let path = rules.login(3, "leaked = uid\nredis.call('KEYS', '*')");
    let told = server.scripts(&["lint", &path]);
    assert_eq!((told.code, told.out.lines().count()), (1, 2), "{told:?}");
    assert!(told.out.lines().all(|line| line.contains("login/v3.lua:")), "{told:?}");
    let machine = server.scripts(&["lint", &path, "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&machine.out).expect("one document");
    assert_eq!(answer["problems"].as_array().map(Vec::len), Some(2), "{answer}");
    rules.write("login", 3, "-- nothing of the kind");
    let told = server.scripts(&["lint", &path]);
    assert!(told.code == 1 && told.out.contains("login/v3.lua:1: the first line is"), "{told:?}");
    server.scripts(&["lint", "/nowhere/at/all"]).refused(2);
}

/// Bad input is named, and nothing is kept of it.
#[test]
fn files_that_are_no_version_are_refused() {
    let server = Setup::new(StoreKind::Embedded).start();
    let rules = Rules::new();
    let huge = rules.write("login", 3, &"-- x\n".repeat(400_000));
    let binary = rules.write("kick", 2, "\u{0}\u{1}\u{7f}");
    let stray = rules.folder().join("stray.lua");
    fs::write(&stray, "return 1").expect("the folder is ours");
    let folder = rules.folder();
    let odd = [
        huge.as_str(),
        &binary,
        stray.to_str().expect("a plain path"),
        folder.to_str().expect("a plain path"),
        "/nowhere/v2.lua",
    ];
    for path in odd {
        let errors = server.scripts(&["push", path]).refused(2);
        assert!(errors.contains(path), "{path}: {errors}");
    }
    let lifecycle = rules.write("push", 2, "-- push v2: mine.");
    assert!(server.scripts(&["push", &lifecycle]).refused(2).contains("always runs as it comes with the binary"));
    assert_eq!(server.scripts_json(&["history"])["history"], json!([]));
    server.assert_serves(1001);
}

/// The tests that a version brought hold for those after it, beside the built-in ones: whoever comes later cannot get
/// rid of them by bringing few.
#[test]
fn every_new_version_is_held_to_all_tests_before_it() {
    let server = Setup::new(StoreKind::Embedded).start();
    let rules = Rules::new();
    let path = rules.write("count", 2, &rules::count(2, "'ZLEXCOUNT'", "'ZLEXCOUNT'"));
    let test = "it('has a test of its own', { since = 2 }, function() assert.is_true(given_version() >= 2) end)";
    fs::write(rules.folder().join("count/test.lua"), test).expect("the folder is ours");
    let told = server.scripts_json(&["push", &path]);
    assert!(told["tests"]["passed"].as_u64() > Some(4), "the built-in tests count: {told}");

    let later = Rules::new();
    let path = later.write("count", 3, &rules::count(3, "{ count = count }", "{ count = 0 * count }"));
    let errors = server.scripts(&["push", &path]).refused(1);
    assert!(errors.contains("lua/count/test.lua:") && errors.contains("count@3 failed"), "{errors}");
    // It is what `test` says of an exported folder, too, in which all layers lie side by side.
    let folder = later.folder().join("all");
    let folder = folder.to_str().expect("a plain path");
    server.scripts(&["export", folder]).done();
    let exported = fs::read_to_string(format!("{folder}/count/test_v2.lua")).expect("the tests of count@2");
    assert_eq!(exported, test);
    let report = server.run(&["test", &format!("{folder}/count")]).done();
    assert!(
        report.contains("count/test_v2.lua count@2: 1 passed") && report.contains("count/test.lua count@2: "),
        "{report}"
    );
    let sound = later.write("count", 3, &rules::count(3, "'ZLEXCOUNT'", "'ZLEXCOUNT'"));
    let told = server.scripts_json(&["push", &sound]);
    assert!(told["tests"]["passed"].as_u64() > Some(5), "{told}");
}

/// Other scripts count as the fleet runs them: what is only kept harms nobody.
#[test]
fn a_version_is_tested_among_the_active_versions_of_the_others() {
    let server = Setup::new(StoreKind::Embedded).start();
    let mut look = server.look();
    // A version of count that nobody could push, kept all the same.
    let source = look.run(&["HGET", "os:{dir}:sources", "count@1"]);
    let mut source: serde_json::Value = serde_json::from_str(source.as_str().expect("a source")).expect("JSON");
    source["text"] = json!(rules::count(3, "{ count = count }", "{ count = 0 * count }"));
    source["parts"] = json!([["count/v3.lua", 1]]);
    let digest = look.run(&["SCRIPT", "LOAD", source["text"].as_str().expect("a text")]);
    let release = look.run(&["HGET", "os:{dir}:releases", "count@1"]);
    let mut release: serde_json::Value = serde_json::from_str(release.as_str().expect("a release")).expect("JSON");
    release["digest"] = digest;
    look.run(&["HSET", "os:{dir}:sources", "count@3", &source.to_string()]);
    look.run(&["HSET", "os:{dir}:releases", "count@3", &release.to_string()]);
    server.scripts(&["push", &Rules::new().login(3, "-- as before")]).done();
}

/// Two who ask for the same way back at once go back once.
#[test]
fn going_back_twice_at_once_is_going_back_once() {
    let server = Setup::new(StoreKind::Embedded).start();
    let rules = Rules::new();
    for version in [3, 4] {
        server.scripts(&["push", &rules.login(version, "-- as before")]).done();
        server.scripts(&["activate", "login", &version.to_string()]).done();
    }
    let told: Vec<_> = std::thread::scope(|scope| {
        let ask = || scope.spawn(|| server.scripts(&["rollback", "login", "--timeout", "0"]));
        let both = [ask(), ask()];
        both.map(|asked| asked.join().expect("it was asked")).into_iter().map(|told| told.code).collect()
    });
    let list = server.scripts_json(&["list"]);
    let active = list["versions"].as_array().and_then(|versions| {
        versions.iter().find(|version| version["name"] == "login" && version["state"] == "active").cloned()
    });
    let active = active.expect("one is active")["version"].clone();
    // One after the other they are two ways back; at once, one of them finds that it was done.
    assert!(active == 3 && told.contains(&1) || active == 2 && told == [0, 0], "{active}: {told:?}");
    let alone = server.scripts(&["activate", "login", &active.to_string(), "--percent", "5"]).refused(1);
    assert!(alone.contains("can only try another one"), "{alone}");
    let machine = server.scripts(&["activate", "nope", "1", "--json"]);
    assert_eq!((machine.code, machine.out.as_str()), (1, "{\"outcome\":\"unknown\"}\n"));
}

/// A script of one's own, under any name that scripts may have, is kept with its tests.
#[test]
fn a_script_of_ones_own_is_pushed_activated_and_exported() {
    let server = Setup::new(StoreKind::Embedded).start();
    let rules = Rules::new();
    let text = "-- my_verdict v1: answer how often somebody asked.\n-- @since 0.1.0\n-- @mode write\n\
        -- @key user hash profile of the user\n-- @arg uid text the user\n-- @effect reply the number\n\
        local user_key = KEYS[1]\nlocal uid = ARGV[1]\n\
        local count = redis.call('HINCRBY', user_key, 'asked', 1)\n\
        return { 1, { 'reply', 0, cjson.encode({ uid = uid, count = count }) } }\n";
    let path = rules.write("my_verdict", 1, text);
    let none = server.scripts(&["push", &path]).refused(2);
    assert!(none.contains("no test"), "{none}");
    let test = "it('counts', function() assert.equal(1, run('my_verdict', { uid = '1' }).reply.json.count) end)";
    fs::write(rules.folder().join("my_verdict/test.lua"), test).expect("the folder is ours");
    server.scripts(&["push", &path]).done();
    assert!(server.scripts(&["activate", "my_verdict", "1"]).done().contains("t1: follows"));
    let folder = rules.folder().join("all");
    server.scripts(&["export", folder.to_str().expect("a plain path")]).done();
    assert_eq!(fs::read_to_string(folder.join("my_verdict/test_v1.lua")).expect("its tests"), test);
    let nothing = server.scripts(&["rollback", "my_verdict"]).refused(1);
    assert!(nothing.contains("nothing was active before my_verdict@1"), "{nothing}");
}
