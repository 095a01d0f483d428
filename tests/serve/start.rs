//! Starts that cannot succeed: one clear line, an exit code of its own, and nothing damaged.

use std::fs;
use std::io::Read;
use std::net::TcpListener;

use crate::support::{Ended, RedisServer, Setup, StoreKind};

/// One line that names the trouble; the log may stand above it.
fn assert_told(ended: &Ended, code: i32, word: &str) {
    assert_eq!(ended.code, code, "{}", ended.log);
    let errors: Vec<&str> = ended.log.lines().filter(|line| line.starts_with("oneseat: error: ")).collect();
    assert_eq!(errors.len(), 1, "{}", ended.log);
    assert!(errors[0].contains(word), "{word} is not in: {}", errors[0]);
    assert_eq!(ended.log.lines().last(), Some(errors[0]), "{}", ended.log);
}

#[test]
fn a_port_in_use_is_told_and_its_owner_left_alone() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = taken.local_addr().expect("a bound socket has an address");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for key in ["gateway.listen", "admin.listen"] {
        let ended = Setup::new(StoreKind::Embedded).folder(folder.path()).set(key, address).run_to_end();
        assert_told(&ended, 3, key);
        assert!(ended.log.contains(&address.to_string()), "{}", ended.log);
    }
    // The folder that the failed starts have opened is as good as before.
    let server = Setup::new(StoreKind::Embedded).folder(folder.path()).start();
    server.assert_serves(1001);
}

#[test]
fn a_folder_that_cannot_be_used_is_told() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let file = root.path().join("file");
    fs::write(&file, "precious").expect("the folder is ours");
    for path in [file.clone(), file.join("below")] {
        let ended = Setup::new(StoreKind::Embedded).folder(&path).run_to_end();
        assert_told(&ended, 4, "data");
    }
    assert_eq!(fs::read_to_string(&file).expect("it is still there"), "precious");
}

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let server = Setup::new(StoreKind::Embedded).start();
    let mut session = server.session(1001);
    let ended = Setup::new(StoreKind::Embedded).folder(server.data()).run_to_end();
    assert_told(&ended, 5, &server.pid().to_string());
    session.beat();
    server.assert_serves(1002);
    server.wait_sessions(1);
}

#[test]
fn a_store_that_nobody_serves_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("nobody.sock");
    let unused = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports").local_addr().expect("bound");
    for url in [format!("redis+unix://{}", socket.display()), format!("redis://user:hunter2@{unused}")] {
        let ended = Setup::at(&url).set("redis.timeout_ms", 500).run_to_end();
        assert_told(&ended, 6, "redis.url");
        assert!(!ended.log.contains("hunter2"), "a password is in the log: {}", ended.log);
    }
}

#[test]
fn a_store_that_evicts_is_refused_with_the_reason() {
    let redis = RedisServer::start();
    redis.look().run(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let ended = Setup::at(&redis.url()).run_to_end();
    assert_told(&ended, 6, "noeviction");
    assert_eq!(redis.look().run(&["DBSIZE"]), 0, "nothing was written");
    redis.look().run(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    Setup::at(&redis.url()).start().admin.wait_ready();
}

#[test]
fn a_name_that_is_taken_is_refused_or_forced() {
    let redis = RedisServer::start();
    let mut first = Setup::at(&redis.url()).start();
    let mut session = first.session(1001);
    let ended = Setup::at(&redis.url()).run_to_end();
    assert_told(&ended, 7, "--takeover");
    session.beat();
    assert_eq!(redis.look().texts(&["ZRANGE", "os:{0}:roster", "0", "-1"]).len(), 1);

    let second = Setup::at(&redis.url()).argument("--takeover").start();
    let (code, _) = first.wait_exit();
    assert_eq!(code, Some(7), "the one whose name was taken stops");
    session.client.expect_goodbye("fenced");
    second.session(1001).beat();
    assert!(redis.look().texts(&["ZRANGE", "os:{0}:roster", "0", "-1"]).len() <= 1);
}

/// Anybody who reached the old server's other port could kick anybody.
#[test]
fn defect_47_the_admin_api_is_not_open_to_others() {
    let ended = Setup::new(StoreKind::Embedded).set("admin.listen", "0.0.0.0:0").run_to_end();
    assert_told(&ended, 2, "admin.token");

    let server = Setup::new(StoreKind::Embedded).set("admin.token", "123456789").start();
    for request in ["DELETE /v1/users/1001/session", "GET /v1/nodes", "POST /v1/tickets", "GET /v1/users/1001"] {
        let mut stream = std::net::TcpStream::connect(server.admin_address()).expect("the admin API listens");
        let text = format!("{request} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, text.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 401"), "{request}: {answer}");
    }
}

/// Data of another form is left alone, whoever wrote it.
#[test]
fn a_store_of_another_schema_is_refused_with_what_to_do() {
    let redis = RedisServer::start();
    for (schema, hint) in [("2", "start that one, or a newer one"), ("0", "update release by release"), ("x", "newer")]
    {
        redis.look().run(&["HSET", "os:{dir}:meta", "schema", schema, "shards", "1", "store", "s"]);
        let ended = Setup::at(&redis.url()).run_to_end();
        assert_told(&ended, 6, &format!("the store holds data of schema {schema}, this binary knows schema 1"));
        assert!(ended.log.contains(hint), "{}", ended.log);
        assert_eq!(redis.look().texts(&["KEYS", "*"]), ["os:{dir}:meta"], "nothing was written");
    }
}
