//! Accepts clients, reads their frames, hands logins to scripts, carries out what the scripts answer, and closes.
//!
//! It decides nothing about seats: a script says who holds one, and who is told what. It never waits for one client
//! on behalf of another, and no bytes of a client can make it act for another user.
//!
//! One login in call order: `listener` accepts, `connection` runs the task, `link` cuts frames, `visitor` reads them,
//! `login` asks the script, `router` carries out its effects, `session` serves the session, `parting` ends it.

mod connection;
mod door;
pub mod gate;
mod link;
mod listener;
mod login;
mod meter;
mod parting;
mod receipt;
mod request;
mod route;
mod router;
mod session;
mod stir;
mod verify;
mod visitor;
mod watch;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch as signal};
use tokio::time::Instant;

use crate::config::Config;
use crate::id::{Name, Rank, Sid};
use crate::metric::Metric;
use crate::reason::Reason;
use crate::script::Caller;
use crate::session::{Bounds, EndingQueue, Handle, Map, Patience, SessionRecord, Wheel};
use crate::wire::body::goodbye;

use door::Entrance;
use gate::Gate;
use meter::Meter;
use receipt::Receipts;
use route::RouteTable;

pub use door::Door;
pub use stir::Stir;

/// The settings that the gateway needs, in the form in which it needs them.
#[derive(Clone, Copy, Debug)]
struct Options {
    body_bytes_max: u16,
    login_attempts_max: u32,
    connections_max: usize,
    bounds: Bounds,
    patience: Patience,
    grace: Duration,
}

impl Options {
    fn of(config: &Config) -> Self {
        let gateway = &config.gateway;
        Self {
            body_bytes_max: u16::try_from(gateway.frame_bytes_max).unwrap_or(u16::MAX),
            login_attempts_max: gateway.login_attempts_max,
            connections_max: gateway.connections_max,
            bounds: Bounds { frames_max: gateway.mailbox_frames_max, bytes_max: gateway.mailbox_bytes_max },
            patience: Patience { login_timeout_ms: gateway.login_timeout_ms, limit_ms: config.heartbeat.limit_ms },
            grace: Duration::from_millis(config.kick.grace_ms),
        }
    }
}

/// The client side of a node.
pub struct Gateway {
    options: Options,
    caller: Arc<Caller>,
    endings: Arc<EndingQueue>,
    map: Map,
    wheel: Mutex<Wheel>,
    meter: Meter,
    /// The class of most sessions, which share this one text of it.
    class: Name,
    /// What the gateway's clock counts from.
    started: Instant,
    /// Whether newcomers are let in.
    entrance: Entrance,
    /// Sessions that came since somebody asked last.
    arrivals: AtomicU64,
    /// Redis' milliseconds at which the script ran that displaced a session, until its connection has ended.
    kicked_at: papaya::HashMap<Sid, u64>,
    /// Set when all are told to go; whoever comes in at that moment is told the same.
    stopping: OnceLock<Reason>,
    /// Woken when the last connection is gone.
    emptied: Notify,
    /// Bounds the script calls for clients: in a storm the store answers each in time, where all at once would time out
    /// together.
    gate: Gate,
    /// Connections that are being told that there are too many.
    refusals: Arc<Semaphore>,
    /// How frames are led to scripts.
    routes: RouteTable,
    /// Sessions that have something to report of their messages.
    receipts: Arc<Receipts>,
    /// Shards on which users came or went.
    stir: Stir,
}

impl Gateway {
    /// A gateway that serves nobody yet. The recorder of metrics is installed before.
    pub fn new(config: &Config, caller: Arc<Caller>, endings: Arc<EndingQueue>) -> Arc<Self> {
        Arc::new(Self {
            options: Options::of(config),
            caller,
            endings,
            map: Map::new(),
            wheel: Mutex::default(),
            meter: Meter::new(),
            class: config.seat.class.clone(),
            started: Instant::now(),
            entrance: Entrance::default(),
            arrivals: AtomicU64::new(0),
            kicked_at: papaya::HashMap::new(),
            stopping: OnceLock::new(),
            emptied: Notify::new(),
            gate: Gate::new(config.redis.calls_max),
            refusals: Arc::new(Semaphore::new(listener::REFUSALS_MAX)),
            routes: RouteTable::new(&config.routes),
            receipts: Arc::default(),
            stir: Stir::new(Duration::from_millis(config.presence.grace_ms)),
        })
    }

    /// Accepts clients until `stop` says so or its sender is gone. Sessions live on after that.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, mut stop: signal::Receiver<bool>) {
        let watch = tokio::spawn(watch::run(Arc::downgrade(&self)));
        let receipts = tokio::spawn(receipt::work(Arc::downgrade(&self), self.receipts.clone()));
        tokio::select! {
            () = listener::accept(&self, &listener) => {}
            _ = stop.wait_for(|is_stopped| *is_stopped) => {}
        }
        // Silence still counts, and messages are written, until the last session is gone.
        drop((watch, receipts));
    }

    /// The session's seat was taken back under this rank. Answers whether the session is still here.
    pub fn rebind(&self, sid: Sid, rank: Rank) -> bool {
        let Some(handle) = self.map.get(sid) else { return false };
        let Some(seat) = handle.rank(rank) else { return false };
        self.map.bind(&seat, rank, sid);
        // It may have ended in between, and then its seat has to go again.
        let is_here = handle.closing().is_none();
        if !is_here {
            self.map.vacate(&seat, sid);
        }
        is_here
    }

    /// Every session at about this moment.
    pub fn sessions(&self) -> Vec<SessionRecord> {
        self.map.handles().iter().filter_map(|handle| handle.record()).collect()
    }

    /// Whether a session, or a login in flight, of this sid is here and not closing.
    pub fn is_here(&self, sid: Sid) -> bool {
        self.map.get(sid).is_some_and(|handle| handle.closing().is_none())
    }

    /// Says goodbye to one connection and closes it.
    pub fn close(&self, sid: Sid, reason: Reason) {
        if let Some(handle) = self.map.get(sid) {
            handle.close(reason, goodbye(reason));
        }
    }

    /// Says goodbye to all, and waits until they are gone or `within` is over. For the end of the process.
    pub async fn close_all(&self, reason: Reason, within: Duration) {
        let _ = self.stopping.set(reason);
        for handle in self.map.handles() {
            handle.close(reason, goodbye(reason));
        }
        let emptied = async {
            loop {
                let emptied = self.emptied.notified();
                if self.map.connection_count() == 0 {
                    return;
                }
                emptied.await;
            }
        };
        if tokio::time::timeout(within, emptied).await.is_err() {
            tracing::info!(connections = self.connection_count(), "some clients did not close in time");
        }
    }

    /// Where users came or went, for those who tell their friends.
    pub fn stir(&self) -> &Stir {
        &self.stir
    }

    /// A turn of a client at the store. Where the store is away nobody waits for one.
    async fn turn(&self) -> Result<Option<gate::Turn<'_>>, gate::Busy> {
        match self.caller.is_connected() {
            true => self.gate.enter().await.map(Some),
            false => Ok(None),
        }
    }

    /// Where everybody waits who asks the store for a client.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Seats that are held here.
    pub fn session_count(&self) -> usize {
        self.map.seat_count()
    }

    /// Sessions that came since this was asked last.
    pub fn take_arrivals(&self) -> u64 {
        self.arrivals.swap(0, Ordering::Relaxed)
    }

    /// Connections, logged in or not.
    pub fn connection_count(&self) -> usize {
        self.map.connection_count()
    }

    /// A connection is gone: if it was kicked, how long that took since the script ran that did it, by Redis' clock.
    fn measure_kick(&self, sid: Sid) {
        if let Some(at_ms) = self.kicked_at.pin().remove(&sid) {
            let took_ms = self.caller.standing().redis_ms().saturating_sub(*at_ms);
            Metric::KickSeconds.histogram().record(Duration::from_millis(took_ms));
        }
    }

    /// Milliseconds since the gateway was made.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The session of this connection is over: its seat is free here, and the store is told unless it knows.
    fn end(&self, handle: &Handle) {
        let Some((seat, ending)) = handle.take_ending() else { return };
        self.map.vacate(&seat, handle.sid());
        self.stir.went(self.caller.shard_of(&seat.uid));
        self.meter.sessions.decrement(1);
        let reason = handle.closing().and_then(|closing| closing.reason).map_or("left", Reason::as_str);
        tracing::info!(uid = %seat.uid, class = %seat.class, sid = %handle.sid(), reason, "the session ended");
        if let Some(ending) = ending {
            self.endings.push(ending);
        }
    }
}
