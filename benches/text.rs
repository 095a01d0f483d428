//! Texts between users: how many a second, how long one takes, what it asks of Redis, and what a user is at rest.
//!
//! `cargo bench --bench text`. Two nodes are processes of their own on a `redis-server` of its own; the clients are threads
//! of this one. Each sender waits for the answer to one text before it sends the next, so the rate is that of so many
//! texts in flight. `ONESEAT_SECONDS=N` measures for longer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Senders, each with a receiver of its own.
const PAIRS: u64 = 16;
const CONTENT: &str = "a text of some forty characters, as people write";

fn main() {
    let seconds = std::env::var("ONESEAT_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let bench = Bench::start();
    for (name, receivers) in [("same node", 0), ("node to node", 1)] {
        let run = bench.run(receivers, Duration::from_secs(seconds));
        println!(
            "{name}: {:.0} texts/s, {PAIRS} in flight; sent to shown p50 {} us, p99 {} us; scripts per text {:.2}, of them of \
             receipts {:.2}; messages published {:.2}",
            run.rate,
            run.percentile(50),
            run.percentile(99),
            run.scripts,
            run.receipts,
            run.published
        );
    }
    bench.at_rest();
}

/// Two nodes on one Redis, with users who are friends in pairs: 1 and 1001, 2 and 1002, ...
struct Bench {
    /// Ended first, nodes before their store.
    nodes: Vec<Node>,
    _redis: Process,
    folder: TempDir,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Node {
    clients: SocketAddr,
    admin: SocketAddr,
    _process: Process,
}

/// What one measurement came to.
struct Run {
    rate: f64,
    /// Microseconds from before a text was sent until its receiver had read it, sorted.
    latencies: Vec<u64>,
    scripts: f64,
    receipts: f64,
    published: f64,
}

impl Run {
    fn percentile(&self, percent: usize) -> u64 {
        self.latencies[(self.latencies.len() * percent / 100).min(self.latencies.len() - 1)]
    }
}

impl Bench {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("redis.sock");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(&socket);
        let redis = Process(command.stdout(Stdio::null()).spawn().expect("redis-server is installed"));
        while UnixStream::connect(&socket).is_err() {
            thread::yield_now();
        }
        let nodes = ["b1", "b2"].map(|name| Node::start(name, &socket, folder.path().join(name)));
        let bench = Self { _redis: redis, nodes: nodes.into(), folder };
        for user in 1..=PAIRS {
            bench.befriend(user, user + 1000);
        }
        bench
    }

    fn redis(&self, words: &[&str]) -> String {
        let socket = self.folder.path().join("redis.sock");
        let output =
            Command::new("redis-cli").arg("-s").arg(socket).args(words).output().expect("redis-cli is installed");
        String::from_utf8(output.stdout).expect("it prints text")
    }

    fn befriend(&self, one: u64, other: u64) {
        for (user, friend) in [(one, other), (other, one)] {
            let element =
                format!(r#"{{"uid":{friend},"name":"user {friend}","nick":"nick","icon":":/1.png","since":1}}"#);
            self.redis(&["HSET", &format!("os:{{0}}:friends:{user}"), &friend.to_string(), &element]);
        }
    }

    /// Calls of a command so far.
    fn calls(&self, command: &str) -> f64 {
        let stats = self.redis(&["INFO", "commandstats"]);
        let line = stats.lines().find(|line| line.starts_with(&format!("cmdstat_{command}:")));
        let calls = line.and_then(|line| line.split("calls=").nth(1)?.split(',').next()?.parse().ok());
        calls.unwrap_or(0.0)
    }

    /// Calls of a script so far, as the nodes count them.
    fn script_calls(&self, script: &str) -> f64 {
        let of_node = |node: &Node| -> f64 {
            let text = node.get("/metrics");
            let prefix = format!("oneseat_script_calls_total{{script=\"{script}\"");
            let lines = text.lines().filter(|line| line.starts_with(&prefix));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        self.nodes.iter().map(of_node).sum()
    }

    fn run(&self, receivers: usize, time: Duration) -> Run {
        let (senders, receivers) = (&self.nodes[0], &self.nodes[receivers]);
        let mut pairs: Vec<(Client, Client)> =
            (1..=PAIRS).map(|user| (senders.log_in(user), receivers.log_in(user + 1000))).collect();
        let before = [self.calls("evalsha"), self.script_calls("receipt"), self.calls("publish")];
        let started = Instant::now();
        let latencies: Vec<Vec<u64>> = thread::scope(|scope| {
            let tasks: Vec<_> = pairs
                .iter_mut()
                .map(|(sender, receiver)| {
                    let sending = scope.spawn(move || sender.send_for(time, started));
                    let receiving = scope.spawn(move || receiver.receive_for(time, started));
                    (sending, receiving)
                })
                .collect();
            tasks
                .into_iter()
                .map(|(sending, receiving)| {
                    sending.join().expect("the sender does not panic");
                    receiving.join().expect("the receiver does not panic")
                })
                .collect()
        });
        let after = [self.calls("evalsha"), self.script_calls("receipt"), self.calls("publish")];
        let mut latencies: Vec<u64> = latencies.into_iter().flatten().collect();
        latencies.sort_unstable();
        let texts = latencies.len() as f64;
        let [scripts, receipts, published] = [0, 1, 2].map(|index| (after[index] - before[index]) / texts);
        Run { rate: texts / time.as_secs_f64(), latencies, scripts, receipts, published }
    }

    /// What the keys of one user take in Redis, by what the user has.
    fn at_rest(&self) {
        let words =
            ["HSET", "os:{0}:user:5000", "name", "somebody", "nick", "some", "icon", ":/head_1.png", "sex", "1"];
        self.redis(&words);
        for friend in 0..50 {
            let uid = (6000 + friend).to_string();
            let element = format!(r#"{{"uid":{uid},"name":"user {uid}","nick":"nick","icon":":/1.png","since":1}}"#);
            self.redis(&["HSET", "os:{0}:friends:5000", &uid, &element]);
        }
        self.nodes[0].ticket(5000);
        for number in 0..100 {
            let message = json!({ "from": 1, "content": CONTENT, "msgid": format!("m{number}") });
            self.nodes[0].post("/v1/users/5000/messages", &message);
        }
        drop(self.nodes[0].log_in(5001));
        let usage = |key: &str| self.redis(&["MEMORY", "USAGE", key, "SAMPLES", "0"]).trim().to_owned();
        println!("bytes at rest: profile {}, 50 friends {}", usage("os:{0}:user:5000"), usage("os:{0}:friends:5000"));
        println!(
            "bytes of 100 texts of {} characters that wait: inbox {}, delivery {}, known ids {}",
            CONTENT.len(),
            usage("os:{0}:inbox:5000"),
            usage("os:{0}:delivery:5000"),
            usage("os:{0}:seen:5000")
        );
        println!(
            "bytes of a user who was on line once: seat {}, ticket {}, trail {}",
            usage("os:{0}:seat:5001"),
            usage("os:{0}:ticket:5001"),
            usage("os:{0}:trail:5001")
        );
    }
}

impl Node {
    fn start(name: &str, socket: &std::path::Path, data: PathBuf) -> Self {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
        let ports = [bind(), bind()].map(|listener| listener.local_addr().expect("it is bound"));
        let [clients, admin] = ports;
        let mut command = Command::new(env!("CARGO_BIN_EXE_oneseat"));
        command.arg("serve").env("ONESEAT_NODE__NAME", name).env("ONESEAT_DATA__DIR", data);
        command.env("ONESEAT_GATEWAY__LISTEN", clients.to_string()).env("ONESEAT_ADMIN__LISTEN", admin.to_string());
        command
            .env("ONESEAT_REDIS__URL", format!("redis+unix://{}", socket.display()))
            .env("ONESEAT_LOG__LEVEL", "warn");
        let route = r#"{ script = "text", reply = 1018, sender = "fromuid", per_second = 0 }"#;
        command.env("ONESEAT_ROUTES__1017", route).stdin(Stdio::null()).stdout(Stdio::null());
        let node = Self { clients, admin, _process: Process(command.spawn().expect("the binary was built")) };
        node.wait_ready();
        node
    }

    fn wait_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.is_ready() {
            assert!(Instant::now() < deadline, "the node is not ready");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_ready(&self) -> bool {
        ureq::get(format!("http://{}/readyz", self.admin)).call().is_ok_and(|answer| answer.status() == 200)
    }

    fn get(&self, path: &str) -> String {
        let mut answer = ureq::get(format!("http://{}{path}", self.admin)).call().expect("the admin API answers");
        answer.body_mut().read_to_string().expect("it is text")
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let answer = ureq::post(format!("http://{}{path}", self.admin)).send_json(body);
        answer.expect("the admin API takes it").body_mut().read_json().expect("it is JSON")
    }

    fn ticket(&self, uid: u64) -> String {
        let ticket = self.post("/v1/tickets", &json!({ "uid": uid }));
        ticket["token"].as_str().expect("a ticket has a token").to_owned()
    }

    fn log_in(&self, uid: u64) -> Client {
        let stream = TcpStream::connect(self.clients).expect("the node accepts");
        stream.set_nodelay(true).expect("a fresh socket takes options");
        let mut client = Client { stream, uid, unread: Vec::new() };
        client.send(1005, &json!({ "uid": uid, "token": self.ticket(uid), "features": ["ack"] }));
        let (id, body) = client.next().expect("an answer");
        assert_eq!((id, &body["error"]), (1006, &json!(0)), "{body}");
        client
    }
}

struct Client {
    stream: TcpStream,
    uid: u64,
    unread: Vec<u8>,
}

impl Client {
    fn send(&mut self, id: u16, body: &Value) {
        let body = body.to_string();
        let length = u16::try_from(body.len()).expect("a short body");
        let frame = [&id.to_be_bytes()[..], &length.to_be_bytes(), body.as_bytes()].concat();
        self.stream.write_all(&frame).expect("the node reads");
    }

    /// The next frame; none where nothing comes for a while.
    fn next(&mut self) -> Option<(u16, Value)> {
        self.stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a second is not zero");
        loop {
            if let [a, b, c, d, ref rest @ ..] = self.unread[..] {
                let length = usize::from(u16::from_be_bytes([c, d]));
                if let Some(body) = rest.get(..length) {
                    let frame = (u16::from_be_bytes([a, b]), serde_json::from_slice(body).expect("a body is JSON"));
                    self.unread.drain(..4 + length);
                    return Some(frame);
                }
            }
            let mut chunk = [0; 4096];
            let count = self.stream.read(&mut chunk).ok()?;
            assert!(count > 0, "the node closed a connection");
            self.unread.extend_from_slice(&chunk[..count]);
        }
    }

    /// Sends texts one after the other; each says when it was sent.
    fn send_for(&mut self, time: Duration, started: Instant) {
        let mut number = 0;
        while started.elapsed() < time {
            let content = format!("{} {CONTENT}", started.elapsed().as_micros());
            let texts = [
                json!({ "content": content, "msgid": format!("{}-{}-{number}", self.uid, started.elapsed().as_nanos()) }),
            ];
            self.send(1017, &json!({ "fromuid": self.uid, "touid": self.uid + 1000, "text_array": texts }));
            loop {
                let (id, body) = self.next().expect("an answer");
                if id == 1018 {
                    assert_eq!(body["error"], 0, "{body}");
                    break;
                }
            }
            number += 1;
        }
    }

    /// Reads and acknowledges; how long each text took.
    fn receive_for(&mut self, time: Duration, started: Instant) -> Vec<u64> {
        let mut latencies = Vec::new();
        loop {
            let Some((id, body)) = self.next() else {
                if started.elapsed() > time {
                    return latencies;
                }
                continue;
            };
            if id != 1019 {
                continue;
            }
            let content = body["text_array"][0]["content"].as_str().expect("a text");
            let sent: u128 = content.split(' ').next().and_then(|word| word.parse().ok()).expect("when it was sent");
            latencies.push(u64::try_from(started.elapsed().as_micros() - sent).unwrap_or(0));
            self.send(1102, &json!({ "id": body["id"] }));
        }
    }
}
