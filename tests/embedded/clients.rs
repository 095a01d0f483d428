//! Clients that people use: fred and redis-cli.

use std::process::Command;

use fred::prelude::*;
use fred::types::RespVersion;

use crate::store::both;

async fn run(url: &str, version: RespVersion) -> Result<(), Error> {
    let mut config = Config::from_url(url)?;
    config.version = version;
    let client = Builder::from_config(config).build()?;
    client.init().await?;
    let digest: String = client.script_load("return {1, KEYS[1], ARGV[1], redis.call('incr', KEYS[1])}").await?;
    for expected in 1..4i64 {
        let reply: (i64, String, String, i64) = client.evalsha(digest.clone(), vec!["n"], vec!["v"]).await?;
        assert_eq!(reply, (1, "n".into(), "v".into(), expected));
    }
    let missing: Result<Value, Error> = client.evalsha("0".repeat(40), vec!["n"], vec!["v"]).await;
    assert!(missing.is_err_and(|error| error.details().starts_with("NOSCRIPT")));
    let _: i64 = client.custom(fred::cmd!("DEL"), vec!["n"]).await?;
    client.quit().await?;
    Ok(())
}

#[test]
fn fred_connects_and_runs_scripts() {
    both(|store| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let url = format!("redis+unix://{}", store.socket.display());
        for version in [RespVersion::RESP2, RespVersion::RESP3] {
            runtime.block_on(run(&url, version.clone())).unwrap_or_else(|error| panic!("{version:?}: {error}"));
        }
    });
}

#[test]
fn fred_hears_what_is_published() {
    both(|store| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let url = format!("redis+unix://{}", store.socket.display());
        let heard: Result<String, Error> = runtime.block_on(async {
            let subscriber = Builder::from_config(Config::from_url(&url)?).build_subscriber_client()?;
            subscriber.init().await?;
            let mut messages = subscriber.message_rx();
            subscriber.subscribe("a").await?;
            let speaker = Builder::from_config(Config::from_url(&url)?).build()?;
            speaker.init().await?;
            loop {
                let receivers: i64 = speaker.custom(fred::cmd!("PUBLISH"), vec!["a", "hello"]).await?;
                if receivers == 1 {
                    break;
                }
            }
            messages.recv().await.expect("a message").value.convert()
        });
        assert_eq!(heard.expect("fred works"), "hello");
    });
}

fn redis_cli(socket: &std::path::Path, args: &[&str]) -> String {
    let output = Command::new("redis-cli").arg("-s").arg(socket).args(args).output().expect("redis-cli is installed");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn redis_cli_looks_around() {
    both(|store| {
        let cli = |args: &[&str]| redis_cli(&store.socket, args);
        assert_eq!(cli(&["SET", "a", "1"]), "OK\n");
        assert_eq!(cli(&["-3", "GET", "a"]), "1\n");
        assert!(cli(&["INFO", "server"]).contains("redis_version:7."));
        assert!(cli(&["COMMAND", "DOCS", "get"]).contains("group"));
        assert_eq!(cli(&["--scan"]), "a\n");
        assert_eq!(cli(&["CLIENT", "SETNAME", "x"]), "OK\n");
        assert!(cli(&["CLIENT", "LIST"]).contains("cmd=client|list"));
        assert_eq!(cli(&["COMMAND", "GETKEYS", "EVAL", "x", "1", "k"]), "k\n");
    });
}

#[test]
fn slow_requests_are_kept_shortened_newest_first() {
    both(|store| {
        let mut client = store.client();
        client.line("CONFIG SET slowlog-max-len 2 slowlog-log-slower-than 0");
        let long = "x".repeat(200);
        client.call(&["SET", "key", &long]);
        let words: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        let mut many = vec!["RPUSH", "list"];
        many.extend(words.iter().map(String::as_str));
        client.call(&many);
        client.line("CONFIG SET slowlog-log-slower-than -1");
        assert_eq!(client.line("SLOWLOG LEN"), ":2");
        let shown = client.line("SLOWLOG GET -1");
        let (newer, older) = (shown.find("... (11 more arguments)"), shown.find("... (72 more bytes)"));
        assert!(newer.is_some() && older.is_none_or(|older| newer < Some(older)), "{shown}");
        assert_eq!(client.line("SLOWLOG GET -2"), "-ERR count should be greater than or equal to -1");
        assert_eq!(client.line("SLOWLOG RESET"), "+OK");
        assert_eq!(client.line("SLOWLOG LEN"), ":0");
    });
}
