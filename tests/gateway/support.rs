//! A gateway on a free port with a store of its own, and a client that speaks the protocol by hand.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oneseat::config::{Config, Loaded};
use oneseat::digest::TokenDigest;
use oneseat::embedded::{Server, ServerOptions};
use oneseat::fleet::channel::{Ear, Wakes};
use oneseat::fleet::{Identity, Lease, farewell};
use oneseat::gateway::Gateway;
use oneseat::id::Uid;
use oneseat::readiness::{Condition, Readiness};
use oneseat::script::redis::Endpoint;
use oneseat::script::{Argument, Arguments, Caller, Catalogue, Standing};
use oneseat::session::EndingQueue;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// Far longer than anything here takes; a test that gets there has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A store of its own, ended with the value: the kind that this test binary is for.
pub struct Store {
    socket: String,
    pub engine: Engine,
    _folder: TempDir,
}

/// What runs behind the socket.
pub enum Engine {
    Redis(Child),
    Embedded { _server: Server },
}

impl Store {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("redis.sock");
        let socket = path.display().to_string();
        let engine = match crate::IS_EMBEDDED {
            true => {
                let options = ServerOptions { socket: path, ..ServerOptions::default() };
                Engine::Embedded { _server: Server::start(options).expect("the embedded store starts") }
            }
            false => Engine::Redis(
                Command::new("redis-server")
                    .args(["--port", "0", "--save", "", "--unixsocket", &socket])
                    .stdout(Stdio::null())
                    .spawn()
                    .expect("redis-server is installed"),
            ),
        };
        Self { socket, engine, _folder: folder }
    }

    pub fn endpoint(&self, timeout: Duration) -> Endpoint {
        Endpoint::new(format!("redis+unix://{}", self.socket), timeout)
    }

    /// A command through `redis-cli`.
    pub fn command(&self, words: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-s", &self.socket]).args(words).output().expect("redis-cli runs");
        String::from_utf8(output.stdout).expect("redis-cli prints UTF-8")
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Engine::Redis(process) = &mut self.engine {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A node as far as clients see it.
pub struct Node {
    pub gateway: Arc<Gateway>,
    pub caller: Arc<Caller>,
    pub endings: Arc<EndingQueue>,
    pub address: std::net::SocketAddr,
    pub store: Store,
    pub stop: watch::Sender<bool>,
    class: String,
}

impl Node {
    /// With the defaults, but a grace and a limit that a test can wait for.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// `settings` are `SECTION__KEY` and value.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let catalogue = Catalogue::embedded().expect("the built-in scripts are sound");
        Self::with_scripts(settings, catalogue).await
    }

    pub async fn with_scripts(settings: &[(&str, &str)], catalogue: Catalogue) -> Self {
        let config = config(settings);
        let store = Store::start();
        let endpoint = store.endpoint(Duration::from_millis(config.redis.timeout_ms));
        wait_for_socket(&store).await;
        let client = endpoint.connect().await.expect("the store answers");
        let standing = Arc::new(Standing::of(&config));
        let caller = Arc::new(Caller::new(client, catalogue, standing, 1, endpoint.timeout()));
        caller.load_all().await.expect("the store takes the scripts");
        register(&caller, &config).await;
        let endings = Arc::new(EndingQueue::new());
        let gateway = Gateway::new(&config, caller.clone(), endings.clone());
        let wakes = Wakes { resync: Arc::new(Notify::new()), announced: Arc::new(Notify::new()) };
        let readiness = Arc::new(Readiness::new());
        let ear = Ear::new(endpoint, caller.clone(), gateway.clone(), readiness.clone(), wakes);
        ear.listen().await.expect("the channel can be subscribed to");
        wait_until(|| readiness.is_met(Condition::Channel), "a message to oneself").await;
        tokio::spawn(farewell::work(caller.clone(), endings.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(gateway.clone().serve(listener, stopped));
        Self { gateway, caller, endings, address, store, stop, class: config.seat.class.to_string() }
    }

    /// Issues a ticket for the default class; answers its token.
    pub async fn ticket(&self, uid: u64) -> String {
        self.ticket_for(uid, &self.class).await
    }

    /// Issues a ticket for a device class; answers its token.
    pub async fn ticket_for(&self, uid: u64, class: &str) -> String {
        let token = format!("token-{}", uuid::Uuid::new_v4());
        let arguments = Arguments::new()
            .with(Argument::Class, class)
            .with(Argument::TokenDigest, TokenDigest::of(&token).to_string());
        self.caller.ask("ticket", Some(&user(uid)), arguments).await.expect("a ticket");
        token
    }

    /// A connection that has not logged in.
    pub async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.expect("the gateway accepts") }
    }

    /// A session with a new ticket.
    pub async fn session(&self, uid: u64) -> Client {
        let token = self.ticket(uid).await;
        let mut client = self.connect().await;
        let reply = client.login(uid, &token).await;
        assert_eq!(reply["error"], 0, "{reply}");
        client
    }

    /// Entries in the roster: the count that the fleet goes by.
    pub fn roster(&self) -> u64 {
        self.store.command(&["zcard", "os:{0}:roster"]).trim().parse().expect("a number")
    }

    /// Waits until the roster has this many entries.
    pub async fn wait_for_roster(&self, count: u64) {
        wait_until(|| self.roster() == count, "the roster").await;
    }

    /// Waits until this many connections are open.
    pub async fn wait_for_connections(&self, count: usize) {
        wait_until(|| self.gateway.connection_count() == count, "the connections").await;
    }
}

/// Waits until something is so.
pub async fn wait_until(mut is_so: impl FnMut() -> bool, what: &str) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn user(uid: u64) -> Uid {
    Uid::parse(&uid.to_string()).expect("digits are a uid")
}

async fn wait_for_socket(store: &Store) {
    wait_until(|| store.command(&["ping"]).trim() == "PONG", "an answer of redis-server").await;
}

/// Settings of the tests: short times, so that what takes a minute takes a second.
fn config(settings: &[(&str, &str)]) -> Config {
    let short = [("KICK__GRACE_MS", "700"), ("NODE__LEASE_MS", "600000")];
    let variables = short.iter().chain(settings).map(|(key, value)| (format!("ONESEAT_{key}"), (*value).to_owned()));
    Loaded::read(None, variables).expect("sound settings").config
}

async fn register(caller: &Arc<Caller>, config: &Config) {
    let identity = Identity {
        owner: "test".to_owned(),
        address: "127.0.0.1:1".to_owned(),
        capacity: config.node.capacity,
        lease_ms: config.node.lease_ms,
        weight: config.node.weight,
        zone: config.node.zone.clone(),
        takeover: false,
    };
    Lease::new(caller.clone(), identity).register().await.expect("the directory takes the node");
}

/// How a connection ended, seen from the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// In order.
    Closed,
    /// By a reset.
    Reset,
}

/// One socket.
pub struct Client {
    pub stream: TcpStream,
}

impl Client {
    pub async fn send(&mut self, id: u16, body: &str) {
        self.send_bytes(&frame(id, body.as_bytes())).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the server takes bytes");
    }

    pub async fn login(&mut self, uid: u64, token: &str) -> Value {
        self.send(1005, &json!({"uid": uid, "token": token}).to_string()).await;
        self.expect(1006).await
    }

    /// The next frame; `None` at the end of the stream.
    pub async fn receive(&mut self) -> Result<(u16, Value), End> {
        tokio::time::timeout(PATIENCE, self.read_frame()).await.expect("something comes within the patience")
    }

    /// The body of the next frame, which must have this id.
    pub async fn expect(&mut self, id: u16) -> Value {
        match self.receive().await {
            Ok((found, body)) if found == id => body,
            other => panic!("expected {id}, found {other:?}"),
        }
    }

    /// Nothing but the end of the stream may come.
    pub async fn expect_end(&mut self) -> End {
        match self.receive().await {
            Err(end) => end,
            Ok(frame) => panic!("expected the end, found {frame:?}"),
        }
    }

    /// The connection answers heartbeats.
    pub async fn expect_alive(&mut self) {
        self.send(1023, "{}").await;
        assert_eq!(self.expect(1024).await, json!({"error": 0}));
    }

    async fn read_frame(&mut self) -> Result<(u16, Value), End> {
        let mut header = [0; 4];
        if let Err(error) = self.stream.read_exact(&mut header).await {
            return Err(if error.kind() == std::io::ErrorKind::UnexpectedEof { End::Closed } else { End::Reset });
        }
        let (id, length) = (u16::from_be_bytes([header[0], header[1]]), u16::from_be_bytes([header[2], header[3]]));
        let mut body = vec![0; usize::from(length)];
        self.stream.read_exact(&mut body).await.expect("a frame is never cut");
        Ok((id, serde_json::from_slice(&body).expect("every body is JSON")))
    }
}

pub fn frame(id: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a body that fits");
    [&id.to_be_bytes()[..], &length.to_be_bytes(), body].concat()
}
