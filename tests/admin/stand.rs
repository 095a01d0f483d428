//! A redis-server of its own, the scripts on it, and the admin HTTP in front, for one test.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oneseat::admin::{AdminState, serve};
use oneseat::config::Loaded;
use oneseat::gateway::Gateway;
use oneseat::readiness::{Condition, Readiness};
use oneseat::script::catalogue::Catalogue;
use oneseat::script::redis::Endpoint;
use oneseat::script::{Argument, Arguments, Caller, Standing};
use oneseat::session::ending::EndingQueue;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one test talks to. Dropping it ends everything.
pub struct Stand {
    pub address: SocketAddr,
    pub caller: Arc<Caller>,
    pub readiness: Arc<Readiness>,
    redis: Redis,
    folder: TempDir,
    _stop: watch::Sender<bool>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The document of an error, after checking that it is one.
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        for name in ["type", "title", "detail"] {
            assert!(problem[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {problem}");
        }
        problem
    }
}

impl Stand {
    /// `environment` are settings of the server, as `("ADMIN__TOKEN", "...")`.
    pub async fn start(environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let socket = folder.path().join("redis.sock");
        let redis = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .map(Redis)
            .expect("redis-server is installed (tests/run.sh does that)");
        wait_until("redis-server listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok()).await;
        let variables = environment.iter().map(|(name, value)| (format!("ONESEAT_{name}"), (*value).to_owned()));
        let config = Loaded::read(None, variables).expect("the settings are valid").config;
        let endpoint = Endpoint::new(format!("redis+unix://{}", socket.display()), Duration::from_secs(2));
        let client = endpoint.connect().await.expect("redis-server is there");
        let standing = Arc::new(Standing::of(&config));
        let catalogue = Catalogue::embedded().expect("the built-in scripts are whole");
        let caller = Arc::new(Caller::new(client, catalogue, standing, 1, endpoint.timeout()));
        caller.load_all().await.expect("the scripts load");
        let readiness = Arc::new(Readiness::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = watch::channel(false);
        oneseat::admin::install_metrics();
        let gateway = Gateway::new(&config, caller.clone(), Arc::new(EndingQueue::new()));
        let state = AdminState::new(&config, caller.clone(), gateway, readiness.clone());
        tokio::spawn(serve(listener, state, stopped));
        Self { address, caller, readiness, redis, folder, _stop: stop }
    }

    /// As [`Stand::start`], with a node in the directory and everything ready.
    pub async fn with_node(environment: &[(&str, &str)]) -> Self {
        let stand = Self::start(environment).await;
        stand.register("node1", "600000").await;
        for condition in Condition::ALL {
            stand.readiness.set(condition, true);
        }
        stand
    }

    /// Puts a node into the directory, with a lease of so many milliseconds.
    pub async fn register(&self, name: &'static str, lease_ms: &'static str) {
        let arguments = Arguments::new()
            .with(Argument::Node, name)
            .with(Argument::Owner, "owner")
            .with(Argument::Address, "chat.example:8090")
            .with(Argument::Capacity, "1000")
            .with(Argument::LeaseMs, lease_ms)
            .with(Argument::Takeover, "")
            .with(Argument::Shards, "1")
            .with(Argument::Store, "store")
            .with(Argument::Weight, "100");
        let answer = self.caller.ask("register", None, arguments).await.expect("the directory answers");
        assert_eq!(answer["outcome"], "registered");
    }

    /// Ends the redis-server, as a crash would.
    pub async fn kill_redis(&mut self) {
        self.redis.end();
        let caller = self.caller.clone();
        wait_until("the connection is seen to be gone", || !caller.is_connected()).await;
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "").await
    }

    /// Writes a text into the store, past all scripts.
    pub fn write(&self, key: &str, value: &str) {
        let socket = self.folder.path().join("redis.sock");
        let mut stream = std::os::unix::net::UnixStream::connect(socket).expect("redis-server is there");
        stream.write_all(format!("SET {key} {value}\r\n").as_bytes()).expect("it reads");
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).expect("it answers");
        assert_eq!(&answer, b"+OK\r\n");
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[], &body.to_string()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], &body.to_string()).await
    }

    /// One ticket for a user that is expected to be given.
    pub async fn ticket(&self, uid: u64) -> Value {
        let answer = self.post("/v1/tickets", &json!({ "uid": uid })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_owned()).expect("a request of constants");
        let call = move || {
            let config = ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true);
            let agent = config.timeout_global(Some(PATIENCE)).proxy(None).build().new_agent();
            let mut answer = agent.run(request).expect("the admin HTTP answers");
            let text = answer.body_mut().read_to_string().expect("a whole answer");
            Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), text }
        };
        tokio::task::spawn_blocking(call).await.expect("the call does not panic")
    }
}

/// The redis-server, which ends with the test however that ends.
struct Redis(Child);

impl Redis {
    fn end(&mut self) {
        // It may have been ended by the test already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end();
    }
}

/// Looks again until something is so.
pub async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
