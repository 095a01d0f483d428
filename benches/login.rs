//! The login script on both stores, in one run: what a login costs the server's side, through the same client.
//!
//! `cargo bench --bench login`. The real `redis-server` has to be installed; ratios between the two groups are what
//! counts, the absolute figures are this machine's.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use futures_util::future::join_all;
use oneseat::embedded::{Server, ServerOptions};
use oneseat::id::{Name, Sid, Uid};
use oneseat::script::catalogue::Catalogue;
use oneseat::script::redis::Endpoint;
use oneseat::script::{Argument, Arguments, Caller, Standing};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const USERS: usize = 1_000;
const DIGEST: &str = "0123456789abcdef0123456789abcdef";

fn main() {
    divan::main();
}

/// A store with tickets for everybody, ended with the value.
struct Bed {
    runtime: Runtime,
    caller: Arc<Caller>,
    _embedded: Option<Server>,
    redis: Option<Child>,
    _folder: TempDir,
}

impl Drop for Bed {
    fn drop(&mut self) {
        if let Some(redis) = &mut self.redis {
            let _ = redis.kill();
            let _ = redis.wait();
        }
    }
}

impl Bed {
    fn new(is_embedded: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("redis.sock");
        let (embedded, redis) = match is_embedded {
            true => {
                let options = ServerOptions { socket: socket.clone(), ..ServerOptions::default() };
                (Some(Server::start(options).expect("the embedded store starts")), None)
            }
            false => {
                let mut command = Command::new("redis-server");
                command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(&socket).stdout(Stdio::null());
                (None, Some(command.spawn().expect("redis-server is installed")))
            }
        };
        while !socket.exists() {
            std::thread::yield_now();
        }
        let runtime = Runtime::new().expect("a runtime");
        let caller = Arc::new(runtime.block_on(connect(&format!("redis+unix://{}", socket.display()))));
        Self { runtime, caller, _embedded: embedded, redis, _folder: folder }
    }

    /// `count` logins at once, each of another user, each displacing that user's session before.
    fn login(&self, count: usize) {
        let logins = (0..count).map(|user| async move {
            let arguments = Arguments::new()
                .with(Argument::Sid, Sid::new().to_string())
                .with(Argument::Uid, user.to_string())
                .with(Argument::TokenDigest, DIGEST)
                .with(Argument::Address, "127.0.0.1:50000");
            self.caller.run("login", Some(&uid(user)), arguments).await.expect("a login")
        });
        self.runtime.block_on(join_all(logins));
    }
}

fn uid(user: usize) -> Uid {
    Uid::parse(&user.to_string()).expect("digits are a uid")
}

async fn connect(url: &str) -> Caller {
    let timeout = Duration::from_secs(60);
    let settings = [
        (Argument::Policy, "takeover"),
        (Argument::IntervalMs, "10000"),
        (Argument::LimitMs, "60000"),
        (Argument::TtlMs, "86400000"),
        (Argument::TrailMax, "8"),
    ];
    let settings = settings.map(|(argument, value)| (argument, value.to_owned())).to_vec();
    let standing = Standing::new(Name::parse("bench").expect("a plain name"), settings);
    standing.set_incarnation(1_700_000_000_000);
    standing.set_lease(1_700_000_000_000, 9_000_000_000_000, 0);
    let client = Endpoint::new(url, timeout).connect().await.expect("the store answers");
    let catalogue = Catalogue::embedded().expect("the built-in scripts are sound");
    let caller = Caller::new(client, catalogue, Arc::new(standing), 1, Duration::from_secs(900_000_000));
    for user in 0..USERS {
        let arguments = Arguments::new().with(Argument::Class, "main").with(Argument::TokenDigest, DIGEST);
        caller.ask("ticket", Some(&uid(user)), arguments).await.expect("a ticket");
    }
    caller
}

#[divan::bench(args = [1, 64, 1000])]
fn embedded(bencher: Bencher<'_, '_>, at_once: usize) {
    let bed = Bed::new(true);
    bencher.counter(ItemsCount::new(at_once)).bench_local(|| bed.login(at_once));
}

#[divan::bench(args = [1, 64, 1000])]
fn redis_server(bencher: Bencher<'_, '_>, at_once: usize) {
    let bed = Bed::new(false);
    bencher.counter(ItemsCount::new(at_once)).bench_local(|| bed.login(at_once));
}
