//! The way out of one machine: `oneseat migrate` copies what an embedded store kept into a Redis, and a node goes on
//! there.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cluster::Cluster;
use crate::support::rules::Rules;
use crate::support::sentinel::Sentinels;
use crate::support::{RedisServer, Server, Session, Setup, StoreKind, Told, wait_until};

/// What was left behind by a server that was killed, and what its clients still have.
struct Estate {
    folder: TempDir,
    server: Server,
    /// Sat there when the server died.
    holder: Session,
    /// Was displaced by the holder.
    displaced: Session,
    /// A ticket that nobody used yet.
    unused: String,
}

impl Estate {
    /// A server with a life, killed in the middle of it.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // What holds for a running fleet only is there at the end, too: friends have yet to be told who went.
        let setup = Setup::new(StoreKind::Embedded).set("presence.grace_ms", 60_000);
        let mut server = setup.folder(&folder.path().join("data")).start();
        server.look().run(&["HSET", "os:{0}:user:1001", "name", "Ann"]);
        server.look().run(&["SET", "os:{0}:name:Ann", "1001|1700000000000"]);
        for (uid, friend) in [("2001", "2002"), ("2002", "2001")] {
            let element = format!("{{\"uid\":{friend},\"since\":1}}");
            server.look().run(&["HSET", &format!("os:{{0}}:friends:{uid}"), friend, &element]);
        }
        let displaced = server.session(1001);
        server.scripts(&["push", &Rules::new().login(3, "-- on the move"), "--who", "ann"]).done();
        server.scripts(&["activate", "login", "3"]).done();
        let holder = server.session(1001);
        let befriended = server.session(2001);
        let is_told = || (server.look().run(&["EXISTS", "os:{0}:presence"]) == 0).then_some(());
        wait_until("the friend of the newcomer is told", is_told);
        drop(befriended);
        for uid in 2002..2020 {
            drop(server.session(uid));
        }
        let _phone = server.session_of(1002, "phone");
        let _kicked = server.session(1003);
        server.admin.kick(1003, "?note=for%20good");
        let unused = server.admin.token(1004);
        // The clients that went are logged out before the end, so that what is left is known.
        server.wait_sessions(2);
        let message = json!({ "from": 2001, "content": "carried along", "msgid": "m1" });
        assert_eq!(server.admin.post("/v1/users/2002/messages", &message).1["result"], "accepted");
        server.kill();
        Self { folder, server, holder, displaced, unused }
    }

    fn migrate(&self, redis: &RedisServer, arguments: &[&str]) -> Told {
        self.migrate_to(&redis.url(), arguments)
    }

    fn migrate_to(&self, url: &str, arguments: &[&str]) -> Told {
        self.server.run(&[&["migrate", "--from", "embedded", "--to", url], arguments].concat())
    }

    fn moved(&self, redis: &RedisServer, arguments: &[&str]) -> Value {
        self.moved_to(&redis.url(), arguments)
    }

    fn moved_to(&self, url: &str, arguments: &[&str]) -> Value {
        document(self.migrate_to(url, &[arguments, &["--json"]].concat()))
    }

    /// A node on the store that all was moved to, in a folder of its own.
    fn node(&self, url: &str) -> Setup {
        Setup::at(url).folder(&self.folder.path().join("other"))
    }
}

fn document(told: Told) -> Value {
    let out = told.done();
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

fn keys(redis: &RedisServer) -> Vec<String> {
    let mut keys = redis.look().texts(&["KEYS", "*"]);
    keys.sort();
    keys
}

/// Whoever had a ticket is served, what happened is remembered, and the rules are those that were active.
fn goes_on(estate: &Estate, server: &Server) {
    assert_eq!(server.admin.seats(1001), [] as [Value; 0], "nobody sits there since the server died");
    let refused = server.connect().log_in(1001, &estate.displaced.token);
    assert_eq!((&refused["error"], &refused["reason"]), (&json!(1010), &json!("displaced")), "{refused}");
    let mut resumed = server.session_with(1001, estate.holder.token.clone());
    assert_eq!((&resumed.reply["resumed"], &resumed.reply["name"]), (&json!(true), &json!("Ann")), "{}", resumed.reply);
    assert!(resumed.epoch() > estate.holder.epoch(), "epochs go on");
    resumed.beat();
    assert_eq!(server.admin.events(1001)[..5], ["resumed", "reaped", "taken", "displaced", "taken"]);
    assert_eq!(server.decided_by(1001), "login@3");
    assert!(server.scripts(&["show", "login"]).done().contains("-- on the move"));
    let mut newcomer = server.session_with(1004, estate.unused.clone());
    newcomer.beat();
    let trail = server.admin.get("/v1/users/1003")["trail"].clone();
    assert_eq!((&trail[0]["event"], &trail[0]["note"]), (&json!("kicked"), &json!("for good")), "{trail}");
    wait_until("the directory counts both", || server.count().filter(|count| *count == 2));
    newcomer.client.send(1007, &json!({ "uid": "Ann" }));
    assert_eq!(newcomer.client.expect(1008)["uid"], 1001, "a name is found");
    let friend = server.session(2002);
    assert_eq!(friend.reply["unread_messages"][0]["content"], "carried along", "{}", friend.reply);
    assert_eq!(friend.reply["friend_list"][0]["uid"], 2001, "{}", friend.reply);
}

#[test]
fn a_node_goes_on_where_the_embedded_store_ended() {
    let estate = Estate::new();
    let redis = RedisServer::start();
    let moved = estate.moved(&redis, &[]);
    assert_eq!((&moved["sessions"], &moved["shards"], &moved["removed"]), (&json!(2), &json!(1), &json!(0)), "{moved}");
    assert_eq!(moved["digest"], moved["target_digest"], "{moved}");
    assert_eq!((&moved["keys"]["user"], &moved["keys"]["roster"]), (&json!(1), &json!(1)), "{moved}");
    assert_eq!(moved["left"], json!({ "events": 1, "leases": 1, "presence": 1, "stats": 1 }), "{moved}");
    let sum: u64 = moved["keys"].as_object().expect("an object").values().filter_map(Value::as_u64).sum();
    assert_eq!(keys(&redis).len() as u64, sum, "{moved} {:?}", keys(&redis));
    let deadline = redis.look().run(&["PEXPIRETIME", "os:{0}:trail:2001"]);
    assert!(deadline.as_i64().is_some_and(|ms| ms > 0), "a deadline goes along: {deadline}");
    let server = estate.node(&redis.url()).start();
    let look = |command: &[&str]| redis.look().texts(command);
    wait_until("the dead sessions are reaped", || {
        look(&["ZRANGE", "os:{0}:roster", "0", "-1"]).is_empty().then_some(())
    });
    goes_on(&estate, &server);
}

#[test]
fn users_are_spread_over_the_shards_that_were_asked_for() {
    let estate = Estate::new();
    let redis = RedisServer::start();
    let moved = estate.moved(&redis, &["--shards", "8"]);
    assert_eq!(moved["digest"], moved["target_digest"], "{moved}");
    let tag = |key: &str| key[..key.find('}').expect("every key has a tag")].to_owned();
    let tags: std::collections::BTreeSet<String> = keys(&redis).iter().map(|key| tag(key)).collect();
    assert_eq!(tags.len(), 9, "the directory, and 8 shards with 23 users: {tags:?}");
    assert_eq!(redis.look().run(&["HGET", "os:{dir}:meta", "shards"]), "8");
    let server = estate.node(&redis.url()).set("redis.shards", 8).start();
    goes_on(&estate, &server);
}

#[test]
fn a_cluster_takes_over_from_the_embedded_store() {
    let estate = Estate::new();
    let cluster = Cluster::start();
    let moved = estate.moved_to(&cluster.url(), &[]);
    assert_eq!((&moved["shards"], &moved["sessions"]), (&json!(256), &json!(2)), "{moved}");
    assert_eq!(moved["digest"], moved["target_digest"], "{moved}");
    let held = |index: usize| cluster.member(index).look().run(&["DBSIZE"]).as_u64().unwrap_or_default();
    let held: Vec<u64> = cluster.primaries().into_iter().map(held).collect();
    let sum: u64 = moved["keys"].as_object().expect("an object").values().filter_map(Value::as_u64).sum();
    assert!(held.iter().all(|count| *count > 0) && held.iter().sum::<u64>() == sum, "{held:?} {moved}");
    // What is there is found on every primary, and removed from all.
    assert!(estate.migrate_to(&cluster.url(), &[]).refused(2).contains("this very store already"));
    let again = estate.moved_to(&cluster.url(), &["--replace", "--shards", "16"]);
    assert_eq!((&again["removed"], &again["shards"]), (&json!(sum), &json!(16)), "{again}");
    goes_on(&estate, &estate.node(&cluster.url()).set("redis.shards", 16).start());
}

#[test]
fn a_primary_under_sentinels_takes_over_from_the_embedded_store() {
    let estate = Estate::new();
    let sentinels = Sentinels::start();
    let moved = estate.moved_to(&sentinels.url(), &[]);
    assert_eq!((&moved["shards"], &moved["digest"]), (&json!(1), &moved["target_digest"]), "{moved}");
    goes_on(&estate, &estate.node(&sentinels.url()).start());
}

#[test]
fn the_folder_of_a_redis_moves_to_another_number_of_shards() {
    let (mut old, new) = (RedisServer::start(), RedisServer::start());
    let setting = |name: &str, value: &str| assert_eq!(old.look().run(&["CONFIG", "SET", name, value]), "OK");
    setting("aof-use-rdb-preamble", "no");
    setting("appendonly", "yes");
    let socket = old.socket();
    let folder = socket.parent().expect("it lies in a folder");
    wait_until("redis-server has begun its file", || {
        let is_over = old.look().run(&["INFO", "persistence"]).as_str()?.contains("aof_rewrite_in_progress:0");
        (is_over && folder.join("appendonlydir/appendonly.aof.manifest").exists()).then_some(())
    });
    let mut server = Setup::at(&old.url()).start();
    let [first, second] = [1001, 1002].map(|uid| server.session(uid));
    server.kill();
    old.kill();
    let (folder, url) = (folder.to_str().expect("a plain path"), new.url());
    let arguments = ["migrate", "--from", "embedded", "--data", folder, "--to", &url, "--shards", "4", "--json"];
    let moved = document(server.run(&arguments));
    assert_eq!((&moved["sessions"], &moved["digest"]), (&json!(2), &moved["target_digest"]), "{moved}");
    let server = Setup::at(&url).set("redis.shards", 4).start();
    for session in [first, second] {
        server.session_with(session.uid, session.token).beat();
    }
}

#[test]
fn nothing_is_written_by_a_dry_run() {
    let estate = Estate::new();
    let redis = RedisServer::start();
    let told = estate.moved(&redis, &["--dry-run"]);
    assert_eq!(
        (&told["dry_run"], &told["sessions"], &told["digest"]),
        (&json!(true), &json!(2), &Value::Null),
        "{told}"
    );
    assert_eq!(keys(&redis), [] as [&str; 0]);
    assert!(estate.migrate(&redis, &["--dry-run"]).done().contains("nothing was written"));
}

#[test]
fn a_running_server_keeps_its_store() {
    let server = Setup::new(StoreKind::Embedded).start();
    let redis = RedisServer::start();
    let told = server.run(&["migrate", "--from", "embedded", "--to", &redis.url()]).refused(5);
    assert!(told.contains(&server.pid().to_string()) && told.contains("stop it"), "{told}");
    assert_eq!(keys(&redis), [] as [&str; 0]);
}

#[test]
fn what_cannot_be_copied_is_told_with_what_to_do() {
    let redis = RedisServer::start();
    let folder = tempfile::tempdir().expect("a folder");
    let estate = Estate::new();
    let run = |arguments: &[&str]| estate.server.run(&[&["migrate", "--from", "embedded"], arguments].concat());
    let nowhere = folder.path().join("nowhere");
    let told = run(&["--data", nowhere.to_str().expect("a plain path"), "--to", &redis.url()]).refused(4);
    assert!(told.contains("--dir or data.dir") && !nowhere.exists(), "{told}");
    assert!(run(&[]).refused(2).contains("--to"));
    assert!(run(&["--to", "http://localhost"]).refused(2).contains("redis.url"));
    assert!(run(&["--to", "redis+unix:///no/such.sock"]).refused(6).contains("cannot be used"));
    assert!(run(&["--to", &redis.url(), "--shards", "0"]).refused(2).contains("--shards"));
    redis.look().run(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    assert!(run(&["--to", &redis.url()]).refused(6).contains("noeviction"));
}

#[test]
fn a_target_with_a_store_is_left_alone_until_it_is_given_up() {
    let estate = Estate::new();
    let redis = RedisServer::start();
    let other = Setup::at(&redis.url()).start();
    let newer = other.session(1001);
    let before = keys(&redis);
    for arguments in [&[][..], &["--dry-run"]] {
        assert!(estate.migrate(&redis, arguments).refused(2).contains("--replace"));
    }
    assert!(estate.migrate(&redis, &["--replace"]).refused(2).contains("nodes run on"));
    assert_eq!(keys(&redis), before);
    drop(newer);
    drop(other);
    redis.look().run(&["DEL", "os:{dir}:leases"]);
    redis.look().run(&["SET", "mine", "x"]);
    estate.migrate(&redis, &["--replace"]).done();
    assert_eq!(redis.look().run(&["GET", "mine"]), "x");
    let again = estate.migrate(&redis, &[]).refused(2);
    assert!(again.contains("this very store already"), "{again}");
    goes_on(&estate, &estate.node(&redis.url()).start());
}

/// A folder with many keys: profiles, as a backend may have written them.
fn many_profiles(estate: &Estate, count: usize) {
    let path = estate.folder.path().join("all.resp");
    let path = path.to_str().expect("a plain path");
    estate.server.run(&["store", "export", path]).done();
    let mut commands = std::fs::read_to_string(path).expect("texts only");
    for uid in 10_000..10_000 + count {
        let key = format!("os:{{0}}:user:{uid}");
        let _ =
            write!(commands, "*4\r\n$4\r\nHSET\r\n${}\r\n{key}\r\n$4\r\ndesc\r\n$500\r\n{:0500}\r\n", key.len(), uid);
    }
    std::fs::write(path, commands).expect("the folder is ours");
    estate.server.run(&["store", "import", path, "--replace"]).done();
}

#[test]
fn an_interrupted_migration_serves_nobody_and_is_begun_anew() {
    let estate = Estate::new();
    many_profiles(&estate, 10_000);
    let redis = RedisServer::start();
    // The target is full in the middle of it.
    redis.look().run(&["CONFIG", "SET", "maxmemory", "4mb"]);
    let told = estate.migrate(&redis, &[]).refused(6);
    assert!(told.contains("OOM") && told.contains("run the same command again"), "{told}");
    redis.look().run(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(keys(&redis).len() > 10, "it had begun");
    let ended = estate.node(&redis.url()).run_to_end();
    assert_eq!(ended.code, 6, "{}", ended.log);
    assert!(ended.log.contains("oneseat migrate"), "{}", ended.log);
    // A profile that the folder does not have would stay if the second run only added.
    redis.look().run(&["HSET", "os:{0}:user:9", "name", "nobody"]);
    let moved = estate.moved(&redis, &["--shards", "1"]);
    assert!(moved["removed"].as_u64().is_some_and(|removed| removed > 10), "{moved}");
    assert_eq!(moved["digest"], moved["target_digest"], "{moved}");
    assert_eq!(redis.look().run(&["EXISTS", "os:{0}:user:9"]), 0);
    assert_eq!(moved["keys"]["user"], 10_001);
    goes_on(&estate, &estate.node(&redis.url()).start());
}

#[test]
fn a_target_that_somebody_else_writes_to_is_not_opened() {
    let estate = Estate::new();
    many_profiles(&estate, 20_000);
    let redis = RedisServer::start();
    let is_over = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        let intruder = scope.spawn(|| {
            let mut look = redis.look();
            while !is_over.load(Ordering::Relaxed) && look.run(&["EXISTS", "os:{dir}:meta"]) == 0 {
                std::thread::yield_now();
            }
            look.run(&["HSET", "os:{0}:seat:777", "main:sid", "intruder"]);
        });
        let told = estate.migrate(&redis, &[]);
        is_over.store(true, Ordering::Relaxed);
        intruder.join().expect("it only writes");
        told
    });
    assert!(told.out.contains("digest"), "{told:?}");
    let errors = told.refused(1);
    assert!(errors.contains("os:{0}:seat:777") && errors.contains("nobody sent it"), "{errors}");
    assert_eq!(redis.look().run(&["HGET", "os:{dir}:meta", "schema"]), "migrating");
    estate.migrate(&redis, &[]).done();
    assert_eq!(redis.look().run(&["HGET", "os:{dir}:meta", "schema"]), "1");
}

fn import(server: &Server, folder: &Path, commands: &str) {
    let path = folder.join("more.resp");
    std::fs::write(&path, commands).expect("the folder is ours");
    server.run(&["store", "import", path.to_str().expect("a plain path"), "--replace"]).done();
}

#[test]
fn keys_of_others_stay_behind_and_keys_of_a_later_day_are_refused() {
    let estate = Estate::new();
    let path = estate.folder.path().join("all.resp");
    estate.server.run(&["store", "export", path.to_str().expect("a plain path")]).done();
    let all = std::fs::read_to_string(&path).expect("texts only");
    let redis = RedisServer::start();
    import(&estate.server, estate.folder.path(), &format!("{all}*3\r\n$3\r\nSET\r\n$6\r\nmy:key\r\n$1\r\nx\r\n"));
    let moved = estate.moved(&redis, &[]);
    assert_eq!((&moved["foreign"], &moved["foreign_names"]), (&json!(1), &json!(["my:key"])), "{moved}");
    assert_eq!(redis.look().run(&["EXISTS", "my:key"]), 0);
    let other = RedisServer::start();
    import(
        &estate.server,
        estate.folder.path(),
        &format!("{all}*3\r\n$3\r\nSET\r\n$12\r\nos:{{0}}:new:1\r\n$1\r\nx\r\n"),
    );
    let told = estate.migrate(&other, &[]).refused(1);
    assert!(told.contains("os:{0}:new:1") && told.contains("nothing was copied"), "{told}");
    let unfinished = "*4\r\n$4\r\nHSET\r\n$13\r\nos:{dir}:meta\r\n$6\r\nschema\r\n$9\r\nmigrating\r\n";
    import(&estate.server, estate.folder.path(), &format!("{all}{unfinished}"));
    assert!(estate.migrate(&other, &[]).refused(4).contains("did not finish"));
    assert_eq!(keys(&other), [] as [&str; 0]);
}
