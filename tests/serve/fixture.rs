//! A store as it was written once: every later version reads it.
//!
//! `tests/serve/fixture/schema-1.resp` holds all that schema 1 knows: seats, tickets, ended sids, trails, a profile,
//! the directory, and what was pushed, tried out and activated. `WRITE_FIXTURE=1 cargo test --test serve fixture` writes
//! it where it is missing, as the release of a new schema does; it never replaces one.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::rules::Rules;
use crate::support::{RedisServer, Server, Setup, StoreKind, on_both_stores};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/serve/fixture/schema-1.resp");
/// The token that holds the seat of user 1001, and that of the phone of 1002.
const TOKENS: [&str; 2] = ["the-token-of-1001-in-the-fixture", "the-token-of-1002-in-the-fixture"];

on_both_stores!(a_store_of_schema_1_is_read);

fn ticket(server: &Server, uid: u64, class: &str, token: &str) {
    server.admin.ticket(&json!({ "uid": uid, "class": class, "token": token }));
}

/// Leaves behind all that there is to leave behind.
fn live_a_little(server: &Server) {
    server.look().run(&["HSET", "os:{0}:user:1001", "name", "Ann", "sex", "1"]);
    ticket(server, 1001, "main", "an-older-token-of-1001-it-is-void");
    let _displaced = server.session_with(1001, "an-older-token-of-1001-it-is-void".to_owned());
    ticket(server, 1001, "main", TOKENS[0]);
    let _holder = server.session_with(1001, TOKENS[0].to_owned());
    ticket(server, 1002, "phone", TOKENS[1]);
    let _phone = server.session_with(1002, TOKENS[1].to_owned());
    let _desktop = server.session_of(1002, "desktop");
    let _kicked = server.session(1003);
    server.admin.kick(1003, "?note=for%20the%20fixture");
    let rules = Rules::new();
    server.scripts(&["push", &rules.login(3, "-- pushed for the fixture"), "--who", "ann"]).done();
    server.scripts(&["activate", "login", "3", "--who", "bob"]).done();
    server.scripts(&["push", &rules.login(4, "-- tried out for the fixture"), "--who", "ann"]).done();
    server.scripts(&["activate", "login", "4", "--percent", "1", "--who", "bob"]).done();
    // What the node writes of its own accord is there, too.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("schema-1.resp");
    server.run(&["store", "export", path.to_str().expect("a plain path")]).done();
    fs::create_dir_all(Path::new(FIXTURE).parent().expect("it has one")).expect("the folder is ours");
    fs::copy(&path, FIXTURE).expect("the fixture can be written");
}

/// A server on a copy of the fixture, under the name that the old node had, whose lease may still run when the fixture
/// was just written.
fn start_on_fixture(store: StoreKind, folder: &Path) -> (Option<RedisServer>, Server) {
    match store {
        StoreKind::Embedded => {
            let mut first = Setup::new(StoreKind::Embedded).folder(folder).start();
            first.kill();
            first.run(&["store", "import", FIXTURE, "--replace"]).done();
            (None, Setup::new(StoreKind::Embedded).folder(folder).argument("--takeover").start())
        }
        StoreKind::Redis => {
            let redis = RedisServer::start();
            redis.pipe(&fs::read(FIXTURE).expect("the fixture is there"));
            let server = Setup::at(&redis.url()).folder(folder).argument("--takeover").start();
            (Some(redis), server)
        }
    }
}

fn a_store_of_schema_1_is_read(store: StoreKind) {
    if std::env::var_os("WRITE_FIXTURE").is_some() && store == StoreKind::Embedded && !Path::new(FIXTURE).exists() {
        live_a_little(&Setup::new(StoreKind::Embedded).start());
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (_redis, server) = start_on_fixture(store, folder.path());
    assert_eq!(server.scripts_json(&["status"])["nodes"][0]["name"], "t1");

    // The sessions of then are gone with their node; whoever held a seat comes back with the ticket that held it.
    let resumed = server.session_with(1001, TOKENS[0].to_owned());
    assert_eq!((&resumed.reply["resumed"], &resumed.reply["name"]), (&json!(true), &json!("Ann")), "{}", resumed.reply);
    let phone = server.session_with(1002, TOKENS[1].to_owned());
    assert_eq!((&phone.reply["resumed"], &phone.reply["class"]), (&json!(true), &json!("phone")));
    let refused = server.connect().log_in(1001, "an-older-token-of-1001-it-is-void");
    assert_eq!((&refused["error"], &refused["reason"]), (&json!(1010), &json!("displaced")), "{refused}");
    // Epochs go on from where they were.
    assert_eq!(server.admin.events(1001)[..3], ["resumed", "reaped", "taken"]);
    let trail = server.admin.get("/v1/users/1003")["trail"].clone();
    assert_eq!((&trail[0]["event"], &trail[0]["note"]), (&json!("kicked"), &json!("for the fixture")), "{trail}");
    server.session(1003).beat();

    // Versions, their texts and their history. When the fixture was written, these numbers came after those of the binary;
    // since then 2 was built in with another text, and that of the store stands.
    assert_eq!(server.decided_by(1001), "login@2");
    assert!(server.scripts(&["show", "login"]).done().contains("-- pushed for the fixture"));
    let events: Vec<_> = server.scripts_json(&["history"])["history"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| {
            format!("{} {}@{} by {}", entry["event"], entry["script"], entry["version"], entry["who"]).replace('"', "")
        })
        .collect();
    let expected =
        ["canary login@3 by bob", "pushed login@3 by ann", "activated login@2 by bob", "pushed login@2 by ann"];
    assert_eq!(events, expected);
    server.scripts(&["rollback", "login"]).done();
    server.scripts(&["rollback", "login"]).done();
    server.session(1004).beat();
    assert_eq!(server.metric("oneseat_script_behind"), 0);
}
