//! A TCP proxy between a node and its store that can break the way in every manner that a network has.
//!
//! What is black-holed is held back and arrives when the way is restored, late, as TCP sends again what was lost; unless
//! the connection was given up meanwhile. Connections are told apart by what they carry: one that subscribed is for
//! pub/sub, all others are for calls.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// Which connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    All,
    PubSub,
    Calls,
}

/// Which way bytes travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    ToStore,
    FromStore,
}

/// What the way is like at the moment.
#[derive(Clone, Copy, Default, Debug)]
struct Weather {
    /// New connections are reset.
    is_cut: bool,
    /// Counts the cuts: a connection ends when this grows.
    cuts: u64,
    /// Each direction takes so long.
    delay: Duration,
    hole: Option<(Scope, Way)>,
}

/// The proxy of one node.
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    _runtime: Runtime,
}

impl Proxy {
    /// A way to a store on a unix socket.
    pub fn start(store: PathBuf) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime of one thread");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (weather, seen) = watch::channel(Weather::default());
        runtime.spawn(accept(listener, store, seen));
        Self { address, weather, _runtime: runtime }
    }

    /// What `redis.url` has to say.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Resets every connection, and every new one until the way is restored.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| {
            weather.is_cut = true;
            weather.cuts += 1;
        });
    }

    /// Every byte takes so long, in each direction.
    pub fn delay(&self, time: Duration) {
        self.weather.send_modify(|weather| weather.delay = time);
    }

    /// Nothing arrives that travels this way on these connections.
    pub fn black_hole(&self, scope: Scope, way: Way) {
        self.weather.send_modify(|weather| weather.hole = Some((scope, way)));
    }

    /// The way is as it was at first.
    pub fn restore(&self) {
        self.weather.send_modify(|weather| *weather = Weather { cuts: weather.cuts, ..Weather::default() });
    }
}

async fn accept(listener: TcpListener, store: PathBuf, weather: watch::Receiver<Weather>) {
    while let Ok((node, _)) = listener.accept().await {
        if weather.borrow().is_cut {
            reset(&node);
            continue;
        }
        tokio::spawn(carry(node, store.clone(), weather.clone()));
    }
}

fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Carries one connection until either side has ended it, or it is cut.
async fn carry(mut node: TcpStream, store: PathBuf, mut weather: watch::Receiver<Weather>) {
    let Ok(mut store) = UnixStream::connect(store).await else { return reset(&node) };
    let _ = node.set_nodelay(true);
    let cuts = weather.borrow().cuts;
    let is_pubsub = Arc::new(AtomicBool::new(false));
    let is_cut = {
        let ((from_node, to_node), (from_store, to_store)) = (node.split(), store.split());
        let there = Road { way: Way::ToStore, is_pubsub: is_pubsub.clone(), weather: weather.clone() };
        let back = Road { way: Way::FromStore, is_pubsub, weather: weather.clone() };
        tokio::select! {
            // The end of one direction ends the other, as neither the store nor its clients use half of a connection.
            () = there.run(from_node, to_store) => false,
            () = back.run(from_store, to_node) => false,
            _ = weather.wait_for(|weather| weather.cuts > cuts) => true,
        }
    };
    if is_cut {
        reset(&node);
    }
}

/// One direction of one connection.
struct Road {
    way: Way,
    is_pubsub: Arc<AtomicBool>,
    weather: watch::Receiver<Weather>,
}

impl Road {
    async fn run(self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
        let mut weather = self.weather.clone();
        let reading = async {
            loop {
                let mut chunk = vec![0; 16 * 1024];
                let count = from.read(&mut chunk).await.unwrap_or(0);
                if count == 0 {
                    return;
                }
                chunk.truncate(count);
                self.look(&chunk);
                let due = Instant::now() + self.weather.borrow().delay;
                if sender.send((due, chunk)).is_err() {
                    return;
                }
            }
        };
        let writing = async {
            while let Some((due, chunk)) = receiver.recv().await {
                sleep_until(due).await;
                let is_open = weather.wait_for(|weather| !self.is_in(weather.hole)).await.is_ok();
                if !is_open || to.write_all(&chunk).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = reading => {}
            () = writing => {}
        }
    }

    /// The first subscription tells what the connection is for.
    fn look(&self, chunk: &[u8]) {
        if self.way == Way::ToStore && chunk.windows(9).any(|word| word.eq_ignore_ascii_case(b"SUBSCRIBE")) {
            self.is_pubsub.store(true, Ordering::Release);
        }
    }

    fn is_in(&self, hole: Option<(Scope, Way)>) -> bool {
        let is_pubsub = self.is_pubsub.load(Ordering::Acquire);
        hole.is_some_and(|(scope, way)| {
            let fits = match scope {
                Scope::All => true,
                Scope::PubSub => is_pubsub,
                Scope::Calls => !is_pubsub,
            };
            fits && way == self.way
        })
    }
}
