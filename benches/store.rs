//! The embedded store beside the real `redis-server`, through the same client, in one run: rate and processor time.
//!
//! `cargo bench --bench store`. Both servers are processes of their own on unix sockets; `redis-benchmark` asks them in
//! turns, and last the client library logs users in. What counts are the ratios: the rates are this machine's. With
//! `ONESEAT_DURABLE=1` both keep an append-only file.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use oneseat::embedded::aof::AppendOnly;
use oneseat::embedded::{Server, ServerOptions};
use oneseat::id::{Name, Sid, Uid};
use oneseat::script::catalogue::{Catalogue, Script};
use oneseat::script::key::Shard;
use oneseat::script::redis::Endpoint;
use oneseat::script::{Argument, Arguments, Caller, Standing};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const ROUNDS: usize = 3;
const USERS: usize = 10_000;
const MEMBERS: usize = 1_000_000;
const SUBSCRIBERS: usize = 50;
const DIGEST: &str = "0123456789abcdef0123456789abcdef";
/// What `redis-benchmark` replaces by twelve random digits.
const RANDOM: &str = "__rand_int__";
/// Clock ticks of /proc in a second, on every Linux that matters.
const TICKS: f64 = 100.0;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(&std::env::args().nth(2).expect("a socket")),
        _ => measure(),
    }
}

/// Whether both servers keep an append-only file, synced every second.
fn is_durable() -> bool {
    std::env::var_os("ONESEAT_DURABLE").is_some()
}

/// The embedded store as a process of its own, until its standard input ends.
fn serve(socket: &str) {
    let append_only = is_durable().then(|| AppendOnly::new(format!("{socket}.appendonlydir").into()));
    let options = ServerOptions { socket: socket.into(), append_only, ..ServerOptions::default() };
    let _server = Server::start(options).expect("the embedded store starts");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("standard input ends some day");
}

/// One of the two servers, ended with the value.
struct Store {
    socket: PathBuf,
    process: Child,
    runtime: Runtime,
    caller: Caller,
}

impl Drop for Store {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Store {
    fn start(mut command: Command, socket: PathBuf, catalogue: &Catalogue) -> Store {
        let process = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the server starts");
        while UnixStream::connect(&socket).is_err() {
            std::thread::yield_now();
        }
        fill(&socket, catalogue);
        let runtime = Runtime::new().expect("a runtime");
        let caller = runtime.block_on(connect(&format!("redis+unix://{}", socket.display())));
        Store { socket, process, runtime, caller }
    }

    /// Microseconds of processor time that it has used.
    fn processor_us(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("it lives");
        let fields: Vec<&str> = stat.rsplit(") ").next().expect("a name in brackets").split(' ').collect();
        let ticks = |at: usize| fields[at].parse::<f64>().expect("a number of ticks");
        (ticks(11) + ticks(12)) * 1e6 / TICKS
    }

    /// Requests in a second and microseconds of processor time for each.
    fn ask(&self, case: &Case, pipeline: usize) -> (f64, f64) {
        let requests = if pipeline == 1 { case.requests / 4 } else { case.requests };
        let mut command = Command::new("redis-benchmark");
        command.arg("-s").arg(&self.socket).args(["--csv", "-c", "50", "-P"]).arg(pipeline.to_string());
        command.args(["-r", &case.range.to_string(), "-n", &requests.to_string()]).args(&case.words);
        let before = self.processor_us();
        let output = command.stderr(Stdio::null()).output().expect("redis-benchmark is installed");
        let used = self.processor_us() - before;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let rate = text.trim().rsplit("\",\"").nth(6).and_then(|rate| rate.parse().ok());
        (rate.unwrap_or_else(|| panic!("no rate in {text:?}")), used / requests as f64)
    }

    /// Logs users in through the client library, so many at once; what `ask` answers.
    fn log_in(&self, at_once: usize) -> (f64, f64) {
        const LOGINS: usize = 4_000;
        let (before, started) = (self.processor_us(), Instant::now());
        for turn in 0..LOGINS / at_once {
            let logins = (0..at_once).map(|n| async move {
                let user = uid((turn * at_once + n) % USERS);
                let arguments = Arguments::new()
                    .with(Argument::Sid, Sid::new().to_string())
                    .with(Argument::Uid, user.as_str().to_owned())
                    .with(Argument::TokenDigest, DIGEST)
                    .with(Argument::Address, "127.0.0.1:50000");
                self.caller.run("login", Some(&user), arguments).await.expect("a login")
            });
            self.runtime.block_on(join_all(logins));
        }
        let rate = LOGINS as f64 / started.elapsed().as_secs_f64();
        (rate, (self.processor_us() - before) / LOGINS as f64)
    }
}

fn uid(user: usize) -> Uid {
    Uid::parse(&format!("1{user:012}")).expect("digits are a uid")
}

fn arguments(uid: &str) -> Arguments<'static> {
    Arguments::new()
        .with(Argument::Node, "node-1")
        .with(Argument::Incarnation, "1763730000000")
        .with(Argument::Sid, format!("0199f0a0-7b7c-7000-8000-{RANDOM}"))
        .with(Argument::Uid, uid.to_owned())
        .with(Argument::Class, "main")
        .with(Argument::TokenDigest, DIGEST)
        .with(Argument::Address, "127.0.0.1:50000")
        .with(Argument::NotAfter, "9000000000000")
        .with(Argument::Policy, "takeover")
        .with(Argument::ChannelPrefix, "os:node:")
        .with(Argument::IntervalMs, "10000")
        .with(Argument::LimitMs, "60000")
        .with(Argument::TtlMs, "86400000")
        .with(Argument::TrailMax, "8")
        .with(Argument::Version, "login@1")
}

/// The words of a call of a script.
fn call(script: &Script, uid: &str) -> Vec<String> {
    let keys = script.keys(Shard(0), uid);
    let argv = script.argv(&arguments(uid)).expect("the arguments have the form that the header declares");
    let head = ["EVALSHA".to_owned(), script.sha1().to_owned(), keys.len().to_string()];
    head.into_iter().chain(keys).chain(argv).collect()
}

/// Loads the scripts, gives everybody a ticket, and makes a roster of a million entries.
fn fill(socket: &Path, catalogue: &Catalogue) {
    let mut stream = UnixStream::connect(socket).expect("the server listens");
    let script = |name: &str| catalogue.get(name).expect("a built-in script");
    let texts = [script("ticket").text(), script("login").text(), "return 1"];
    send(&mut stream, texts.iter().map(|text| ["SCRIPT", "LOAD", text].map(str::to_owned).to_vec()));
    send(&mut stream, (0..USERS).map(|user| call(script("ticket"), uid(user).as_str())));
    send(
        &mut stream,
        (0..MEMBERS / 100).map(|block| {
            let entries =
                (0..100).flat_map(|n| ["0".to_owned(), member(&format!("{:012}", (block * 100 + n) * 7919 % MEMBERS))]);
            ["ZADD".to_owned(), "roster".to_owned()].into_iter().chain(entries).collect()
        }),
    );
}

fn member(uid: &str) -> String {
    format!("node-1#1763730000000|{uid}|main|0199f0a0-7b7c-7000-8000-000000000000")
}

/// Sends requests and waits for as many replies, a few hundred at a time.
fn send(stream: &mut UnixStream, requests: impl Iterator<Item = Vec<String>>) {
    let mut requests = requests.peekable();
    while requests.peek().is_some() {
        let (mut text, mut count) = (String::new(), 0);
        for words in requests.by_ref().take(200) {
            text.push_str(&format!("*{}\r\n", words.len()));
            words.iter().for_each(|word| text.push_str(&format!("${}\r\n{word}\r\n", word.len())));
            count += 1;
        }
        // The last request of a batch is answered by a line that no other reply has.
        text.push_str("*2\r\n$4\r\nECHO\r\n$9\r\nall-is-in\r\n");
        stream.write_all(text.as_bytes()).expect("the server reads");
        let (mut seen, mut chunk) = (Vec::new(), [0; 65536]);
        while !seen.ends_with(b"all-is-in\r\n") {
            let read = stream.read(&mut chunk).expect("the server answers");
            assert!(read > 0, "the server hung up after {count} requests");
            seen.extend_from_slice(&chunk[..read]);
        }
        assert!(!seen.windows(3).any(|bytes| bytes == b"\n-E"), "{}", String::from_utf8_lossy(&seen));
    }
}

async fn connect(url: &str) -> Caller {
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
    let client = Endpoint::new(url, Duration::from_secs(60)).connect().await.expect("the store answers");
    let catalogue = Catalogue::embedded().expect("the built-in scripts are sound");
    Caller::new(client, catalogue, Arc::new(standing), 1, Duration::from_secs(900_000_000))
}

/// Something to be measured with `redis-benchmark`.
struct Case {
    name: &'static str,
    requests: usize,
    /// Different values of what is random.
    range: usize,
    words: Vec<String>,
}

fn cases(catalogue: &Catalogue) -> Vec<Case> {
    let case = |name, requests, range, words: &str| {
        let words = words.split(' ').map(|word| word.replace('@', RANDOM)).collect();
        Case { name, requests, range, words }
    };
    let one = "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0";
    let login = call(catalogue.get("login").expect("a built-in script"), &format!("1{RANDOM}"));
    vec![
        case("SET", 200_000, 100_000, "SET key:@ value:@"),
        case("GET", 200_000, 100_000, "GET key:@"),
        case("EVALSHA return 1", 200_000, 1, one),
        Case { name: "EVALSHA login", requests: 40_000, range: USERS, words: login },
        case("ZADD, a million", 100_000, MEMBERS, &format!("ZADD roster 0 {}", member("@"))),
        case("ZLEXCOUNT", 100_000, MEMBERS, "ZLEXCOUNT roster [node-1#1763730000000|@ [node-1#~"),
        case("ZRANGEBYLEX 10", 100_000, MEMBERS, "ZRANGEBYLEX roster [node-1#1763730000000|@ + LIMIT 0 10"),
        case("PUBLISH to 50", 10_000, 1, "PUBLISH news a-message-of-some-length"),
    ]
}

/// Readers of a channel, who throw away what they get.
fn subscribe(socket: &Path) {
    for _ in 0..SUBSCRIBERS {
        let mut stream = UnixStream::connect(socket).expect("the server listens");
        stream.write_all(b"SUBSCRIBE news\r\n").expect("the server reads");
        std::thread::spawn(move || {
            let mut chunk = [0; 65536];
            while stream.read(&mut chunk).is_ok_and(|read| read > 0) {}
        });
    }
}

/// What `ask` answered, round by round, for both stores; by the case's place and name and its pipeline.
type Results = BTreeMap<(usize, &'static str, usize), [Vec<(f64, f64)>; 2]>;

fn measure() {
    let folder: TempDir = tempfile::tempdir().expect("a temporary folder");
    let catalogue = Catalogue::embedded().expect("the built-in scripts are sound");
    let [ours, theirs] = ["embedded.sock", "redis.sock"].map(|name| folder.path().join(name));
    let mut embedded = Command::new(std::env::current_exe().expect("this program has a path"));
    embedded.arg("serve").arg(&ours);
    let mut redis = Command::new("redis-server");
    let append_only = if is_durable() { "yes" } else { "no" };
    redis.args(["--port", "0", "--save", "", "--appendonly", append_only, "--unixsocket"]).arg(&theirs);
    redis.arg("--dir").arg(folder.path());
    let stores = [Store::start(embedded, ours, &catalogue), Store::start(redis, theirs, &catalogue)];
    stores.iter().for_each(|store| subscribe(&store.socket));
    let cases = cases(&catalogue);
    let mut results: Results = BTreeMap::new();
    for _ in 0..ROUNDS {
        for (at, case) in cases.iter().enumerate() {
            for pipeline in [1, 16, 64] {
                let result = results.entry((at, case.name, pipeline)).or_default();
                (0..2).for_each(|side| result[side].push(stores[side].ask(case, pipeline)));
            }
        }
        for at_once in [1, 64] {
            let result = results.entry((cases.len(), "login, client library", at_once)).or_default();
            (0..2).for_each(|side| result[side].push(stores[side].log_in(at_once)));
        }
    }
    print(results);
}

fn print(results: Results) {
    println!(
        "{:<22}{:>4}{:>12}{:>12}{:>7}{:>10}{:>10}{:>7}",
        "", "-P", "embedded/s", "redis/s", "ratio", "us", "us", "ratio"
    );
    for ((_, name, pipeline), sides) in results {
        let [ours, theirs] = sides.map(|runs| {
            let (rates, times): (Vec<f64>, Vec<f64>) = runs.into_iter().unzip();
            (median(rates), median(times))
        });
        println!(
            "{name:<22}{pipeline:>4}{:>12.0}{:>12.0}{:>7.2}{:>10.2}{:>10.2}{:>7.2}",
            ours.0,
            theirs.0,
            ours.0 / theirs.0,
            ours.1,
            theirs.1,
            ours.1 / theirs.1
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
