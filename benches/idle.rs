//! What an idle logged-in connection costs this process: 10,000 of them, on real sockets.
//!
//! `cargo bench --bench idle`. The store is a `redis-server` of its own, so that its memory does not count; the
//! clients are another process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oneseat::config::Loaded;
use oneseat::gateway::Gateway;
use oneseat::id::Uid;
use oneseat::script::redis::Endpoint;
use oneseat::script::{Argument, Arguments, Caller, Catalogue, Standing};
use oneseat::session::EndingQueue;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

const CONNECTIONS: usize = 10_000;
/// Connections that come first, so that pools and tables have the size that they keep.
const WARM_UP: usize = 1_000;
const TOKEN: &str = "idle";

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(address) if address != "--bench" => hold(address.parse().expect("an address")),
        _ => measure(),
    }
}

fn measure() {
    let store = Store::start();
    let runtime = Runtime::new().expect("a runtime");
    let (gateway, address) = runtime.block_on(serve(&store));
    let mut clients = Clients::start(address);
    clients.log_in(WARM_UP);
    let before = resident_bytes();
    let started = Instant::now();
    clients.log_in(CONNECTIONS);
    let elapsed = started.elapsed();
    let after = resident_bytes();
    assert_eq!(gateway.session_count(), WARM_UP + CONNECTIONS);
    let each = (after - before) as f64 / CONNECTIONS as f64;
    println!("{each:.0} bytes per idle logged-in connection ({CONNECTIONS} of them, logged in within {elapsed:.1?})");
}

/// The clients, in a process of their own: half of the open files, none of the memory.
struct Clients {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Clients {
    fn start(address: SocketAddr) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.arg(address.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("this program runs");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { process, answers }
    }

    fn log_in(&mut self, count: usize) {
        let orders = self.process.stdin.as_mut().expect("it is piped");
        writeln!(orders, "{count}").expect("the clients listen");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the clients answer");
        assert_eq!(answer.trim(), "done");
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The other process: logs in as many as each line says, and holds them until its input ends.
fn hold(address: SocketAddr) {
    let mut held = Vec::new();
    for line in std::io::stdin().lines() {
        let count: usize = line.expect("an order").parse().expect("a number");
        (0..count).for_each(|_| held.push(log_in(address, held.len())));
        println!("done");
    }
}

struct Store {
    process: Child,
    folder: TempDir,
}

impl Store {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(folder.path().join("redis.sock"));
        let process = command.stdout(Stdio::null()).spawn().expect("redis-server is installed");
        while !folder.path().join("redis.sock").exists() {
            std::thread::yield_now();
        }
        Self { process, folder }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn serve(store: &Store) -> (Arc<Gateway>, SocketAddr) {
    let config = Loaded::read(None, []).expect("the defaults are sound").config;
    let url = format!("redis+unix://{}", store.folder.path().join("redis.sock").display());
    let client = Endpoint::new(url, Duration::from_secs(60)).connect().await.expect("the store answers");
    let standing = Standing::of(&config);
    standing.set_incarnation(1);
    standing.set_lease(1_700_000_000_000, 9_000_000_000_000, 0);
    let catalogue = Catalogue::embedded().expect("the built-in scripts are sound");
    let caller = Arc::new(Caller::new(client, catalogue, Arc::new(standing), 1, Duration::from_secs(900_000_000)));
    caller.load_all().await.expect("the store takes the scripts");
    for user in 0..WARM_UP + CONNECTIONS {
        let digest = oneseat::digest::TokenDigest::of(TOKEN).to_string();
        let arguments = Arguments::new()
            .with(Argument::Class, "main")
            .with(Argument::TtlMs, "86400000")
            .with(Argument::TokenDigest, digest);
        let uid = Uid::parse(&(user + 1).to_string()).expect("digits are a uid");
        caller.ask("ticket", Some(&uid), arguments).await.expect("a ticket");
    }
    let gateway = Gateway::new(&config, caller, Arc::new(EndingQueue::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(gateway.clone().serve(listener, stopped));
    std::mem::forget(stop);
    (gateway, address)
}

fn log_in(address: SocketAddr, user: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the gateway accepts");
    let body = format!(r#"{{"uid":{},"token":"{TOKEN}"}}"#, user + 1);
    let length = u16::try_from(body.len()).expect("a short body");
    let frame = [&1005u16.to_be_bytes()[..], &length.to_be_bytes(), body.as_bytes()].concat();
    stream.write_all(&frame).expect("the gateway reads");
    let mut header = [0; 4];
    stream.read_exact(&mut header).expect("an answer");
    assert_eq!(header[..2], 1006u16.to_be_bytes());
    let mut body = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
    stream.read_exact(&mut body).expect("a whole answer");
    assert!(String::from_utf8_lossy(&body).contains(r#""error":0"#));
    stream
}

/// What the process holds in memory, from the kernel.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("a Linux kernel");
    let pages: usize = text.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number of pages");
    pages * 4_096
}
