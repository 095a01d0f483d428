//! Who may use a store, and which: users and passwords, TLS, the number of shards, and memory that must not be evicted.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::cluster::Cluster;
use crate::support::instance::Instance;
use crate::support::sentinel::Sentinels;
use crate::support::{RedisServer, Setup};
use crate::truth::Store;

#[track_caller]
fn refused(setup: Setup, texts: &[&str]) {
    let ended = setup.run_to_end();
    assert_eq!(ended.code, 6, "{}", ended.log);
    for text in texts {
        assert!(ended.log.contains(text), "no {text:?} in:\n{}", ended.log);
    }
}

#[test]
fn a_store_is_used_with_one_number_of_shards() {
    let redis = RedisServer::start();
    let setup = |name: &str, shards: u16| Setup::at(&redis.url()).set("node.name", name).set("redis.shards", shards);
    let one = setup("t1", 8).start();
    one.session(1000).beat();
    refused(setup("t2", 16), &["set redis.shards to 8", "cannot be changed"]);
    let two = setup("t2", 8).start();
    let mut newer = two.session(1000);
    newer.beat();
    assert_eq!(one.admin.seats(1000)[0]["sid"], newer.sid());
}

#[test]
fn a_user_with_a_password_is_let_in_and_others_are_not() {
    let redis = Instance::start(&["--user", "app", "on", ">s3cret/%", "~*", "&*", "+@all", "--user", "default", "off"]);
    let url = |login: &str| format!("redis://{login}@{}", redis.address());
    Setup::at(&url("app:s3cret%2F%25")).start().session(1000).beat();
    refused(Setup::at(&url("app:wr0ng")), &["redis.url", "app:***@", "WRONGPASS"]);
    refused(Setup::at(&format!("redis://{}", redis.address())), &["redis.url", "NOAUTH"]);
}

/// The user of a node, beside the one without a password that the stores and the tests use among themselves.
const APP: [&str; 7] = ["--user", "app", "on", ">s3cret", "~*", "&*", "+@all"];

/// The URL with a login in it.
fn as_user(url: &str, login: &str) -> Setup {
    Setup::at(&url.replacen("://", &format!("://{login}@"), 1)).set("redis.timeout_ms", 2000)
}

#[test]
fn a_user_of_the_stores_is_none_of_the_sentinels() {
    let store = Sentinels::start_with(&APP);
    let server = as_user(&store.url(), "app:s3cret").start();
    server.session(1000).beat();
    let clients = store.store(0).look().run(&["CLIENT", "LIST"]);
    assert!(clients.as_str().is_some_and(|list| list.contains("user=app")), "{clients}");
    refused(as_user(&store.url(), "app:wr0ng"), &["redis.url", "app:***@"]);
}

#[test]
fn every_member_of_a_cluster_asks_for_the_password() {
    let store = Cluster::start_with(&APP);
    let server = as_user(&store.url(), "app:s3cret").start();
    for uid in 1000..1020 {
        server.session(uid).beat();
    }
    for index in store.primaries() {
        let clients = store.member(index).look().run(&["CLIENT", "LIST"]);
        assert!(clients.as_str().is_some_and(|list| list.contains("user=app")), "{clients}");
    }
    refused(as_user(&store.url(), "app:wr0ng"), &["redis.url", "app:***@"]);
}

#[test]
fn every_primary_of_a_cluster_has_to_keep_what_it_is_given() {
    let store = Cluster::start();
    let careless = store.member(1);
    careless.look().run(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    refused(store.setup("t1"), &[&careless.address(), "allkeys-lru", "maxmemory-policy noeviction"]);
    careless.look().run(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    store.node("t1").session(1000).beat();
}

/// An authority, and a certificate for 127.0.0.1 that it signed, made with `openssl`.
fn make_certificates(folder: &Path) {
    let openssl = |words: &str| {
        let output = Command::new("openssl").args(words.split(' ')).current_dir(folder).stdin(Stdio::null()).output();
        let output = output.expect("openssl is installed; tests/run.sh does it");
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    };
    for name in ["ca", "other"] {
        openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.crt -days 2 -subj /CN={name}"
        ));
    }
    openssl("req -newkey rsa:2048 -nodes -keyout redis.key -out redis.csr -subj /CN=redis");
    fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1").expect("the folder is ours");
    openssl("x509 -req -in redis.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out redis.crt -days 2 -extfile names");
}

#[test]
fn an_encrypted_store_is_trusted_by_its_authority() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    make_certificates(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let redis = Instance::try_ports(|port| {
        let port_text = port.to_string();
        let files = [path("redis.crt"), path("redis.key"), path("ca.crt")];
        let [certificate, key, authority] = &files;
        let listen = ["--port", "0", "--tls-port", &port_text, "--tls-auth-clients", "no"];
        let secrets = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", authority];
        Instance::start_at(port, &[&listen[..], &secrets[..]].concat())
    });
    let setup = |authority: &str| {
        Setup::at(&format!("rediss://{}", redis.address())).set("redis.tls_ca", authority).set("redis.timeout_ms", 1000)
    };
    let one = setup(&path("ca.crt")).start();
    let mut older = one.session(1000);
    one.session(1000).beat();
    assert_eq!(older.client.expect(1021)["reason"], "displaced");
    refused(setup(&path("other.crt")), &["redis.url"]);
    refused(setup(&path("names")), &["redis.tls_ca", "no certificate"]);
    refused(setup(&path("missing.crt")), &["redis.tls_ca", "missing.crt"]);
    let ended = Setup::at(&format!("redis://{}", redis.address())).set("redis.tls_ca", path("ca.crt")).run_to_end();
    assert!(ended.code == 2 && ended.log.contains("redis.tls_ca"), "{}", ended.log);
}
